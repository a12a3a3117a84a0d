/*
 * Everything one worker needs to run CAM++: campplus_state.c makes it, campplus_clip.c runs one
 * window after another in it. One owner; helpers only take parts of a step (team.h).
 */
#ifndef VP_CAMPPLUS_STATE_H
#define VP_CAMPPLUS_STATE_H

#include "base/team.h"
#include "network/campplus_ops.h"

struct campplus_state {
    const struct campplus *campplus; /* borrowed */
    size_t max_frames;               /* of a clip */
    size_t max_window;               /* of one pass */
    struct resnet_state *head;       /* owned */
    struct team *team;               /* the head's */
    struct cancel cancel;            /* the head's too */
    struct arena arena;
    float *frames;     /* memory of a sequence: what the head gives */
    float *blocks[2];  /* of the block at hand, and of the next */
    float *bottleneck; /* of the layer at hand */
    /* [n_segments][...] of the layer at hand: means and, with the clip's, context; then gates */
    float *context, *hidden, *gates;
    size_t n_gate_floats;
    float *frame;              /* one frame's channels, for taps */
    float *rows;               /* [frames behind tdnn][n_channels], what is pooled */
    float *weights;            /* [frames behind tdnn], all 1 */
    float *pooled, *sum, *one; /* [2 n_channels], [dim], [dim] */
    double *pool_memory;       /* of the statistics */
    float *scratch[TEAM_MOST]; /* of the kernel, one for each seat */
    size_t n_threads;
};

/* Frames behind tdnn, of n at its entrance. */
static inline size_t campplus_half(size_t n_frames)
{
    return (n_frames - 1) / 2 + 1;
}

#endif
