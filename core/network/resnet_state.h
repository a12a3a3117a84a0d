/*
 * Everything one worker needs to run the network: resnet_state.c makes it, resnet_clip.c runs one
 * clip after another in it. One owner; helpers only take parts of a step (team.h).
 */
#ifndef VP_RESNET_STATE_H
#define VP_RESNET_STATE_H

#include "base/cancel.h"
#include "base/team.h"
#include "network/resnet_ops.h"
#include "network/stats_pool.h"
#include "network/stream.h"

/* What a thread needs for one call of a kernel. */
struct seat {
    float *scratch;               /* of the kernel */
    float *shortcut;              /* the shortcut's output */
    const float **in, **residual; /* owned, pointers to frames */
    float **out;                  /* owned */
};

/* How an op goes through the clip at hand. */
struct pace {
    struct conv_tiling tiling;
    size_t batch; /* most output frames of one step of the schedule; the same within a stage */
    size_t gate;  /* output frames that must be possible before a step: batch where a stage
                     begins, one tile inside, so that a stage holds back little */
};

struct resnet_state {
    const struct resnet *resnet; /* borrowed */
    struct pace *paces;          /* owned, [n_ops] */
    size_t max_frames;
    bool shared; /* several threads may work, and the kernel's calls can be split */
    struct arena arena;
    size_t n_pools;
    struct frame_pool *pools; /* owned, [n_ops + 1], the first n_pools in use */
    struct stream *streams;   /* owned, [n_ops + 1]; 0 holds the features */
    float *zeros;             /* a frame before the beginning and after the end */
    float *pooled, *frame;    /* [n_pooled]; one frame as [C][F], for taps */
    double *pool_memory;
    struct stats_pool pool;
    struct team team; /* of the threads that work on the clip */
    struct cancel cancel;
    struct seat *seats; /* owned, [team.n_seats] */
};

#endif
