/*
 * One piece of work for a worker: embed the clips of one or two sides, diarize, or open an engine.
 * It goes in turns, each short: one clip, or a slice of a diarization. A job has one owner at a
 * time: the loop, then a worker, then the loop again, until it is done; only is_cancelled is
 * shared.
 */
#ifndef VP_JOB_H
#define VP_JOB_H

#include "http/body.h"
#include "work/conversation.h"
#include "work/engine.h"

#include <stdatomic.h>
#include <stdint.h>

struct job;
struct ticket;

/* Others who may join in while a job has a clip in the network: called on its worker around the
 * forward pass. After `end` nobody but the caller is at the scratch. begin NULL: nobody helps. */
struct job_helpers {
    void (*begin)(void *context, const struct job *job, vp_scratch *scratch);
    void (*end)(void *context, const struct job *job);
    void *context;
};

enum job_kind { JOB_EMBED, JOB_COMPARE, JOB_DIARIZE, JOB_OPEN_ENGINE, N_JOB_KINDS };
enum { JOB_MAX_SIDES = 2 };

/* One recording, and what the worker found out about it. */
struct clip {
    const void *bytes; /* borrowed from the job's body */
    size_t n_bytes;
    bool type_guessed; /* the client's content type did not say audio */
    struct vp_clip_options options;
    struct vp_clip_info info;
    double decode_ms, fbank_ms, forward_ms;
    double norm; /* L2 before normalisation */
};

struct side {
    size_t n_clips;
    struct clip *clips; /* owned [n_clips]; NULL for a stored embedding */
    float *embeddings;  /* owned [n_clips, dim], or [1, dim] when stored */
    float *embedding;   /* owned [dim]: the side's, normalised (unless `raw`) */
    double coherence;
};

struct job {
    unsigned magic;
    enum job_kind kind;
    struct job *next;      /* in a list of its owner */
    struct ticket *ticket; /* the loop's: whose place in the queue it is; NULL once nobody waits */
    char request_id[129];
    struct engine *engine; /* a reference */
    struct body body;      /* moved from the request; holds the clips' bytes */
    bool raw;              /* leave the embedding of JOB_EMBED as the network gave it */
    size_t n_sides;
    struct side sides[JOB_MAX_SIDES];
    size_t at_side, at_clip; /* the clip of the next turn; after an error, the one at fault */
    double used_s,
        max_used_s; /* of all clips so far, and at most; max 0: no limit but each clip's */
    struct conversation conversation; /* JOB_DIARIZE, which has no sides */
    bool is_long;                     /* many turns, between which others go first (queue.h) */

    size_t worker; /* which of the pool has it, and who helps: set when it is handed out */
    struct job_helpers helpers;
    uint64_t queued_ns, started_ns, ended_ns; /* began first, ended last */
    double turn_ms;                           /* the last turn */
    bool is_done;                             /* no turn is left; so it is after an error */
    enum vp_status status;                    /* the result; err when not VP_OK */
    struct vp_err err;
    bool self_test_failed;       /* after VP_ERR_INFERENCE: the engine itself is ill */
    const struct config *config; /* JOB_OPEN_ENGINE */
    struct engine *opened;       /* its result */
    /* Set by job_cancel while the worker has the job, and read there. Apart from is_done and
     * status, which the compiler reads in one piece with whatever lies between them. */
    atomic_bool is_cancelled;
};

/* Zeroed job with n_clips[i] clips on side i (0: a stored embedding). Holds the engine. NULL when
 * memory is short. The caller owns it. [loop] */
struct job *job_new(enum job_kind kind, struct engine *engine, size_t n_sides,
                    const size_t *n_clips);
struct job *job_new_open(const struct config *config); /* [loop] NULL when memory is short */
/* Does one turn on the scratch of its worker and leaves the result in the job. [worker] */
void job_run(struct job *job);
/* Nobody wants the result any more: the turn that runs ends soon, with VP_ERR_CANCELLED. [loop] */
void job_cancel(struct job *job);
void job_free(struct job *job); /* [loop] takes; NULL is legal */

/* What a job took, over all its clips, in milliseconds. */
struct job_times {
    double queue_ms, decode_ms, fbank_ms, forward_ms;
};
struct job_times job_times(const struct job *job); /* [loop] of one that came back */

#endif
