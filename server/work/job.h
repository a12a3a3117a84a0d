/*
 * One piece of work for a worker: embed the clips of one or two sides, diarize, or open an engine.
 * It goes in turns, each short: one clip, or a slice of a diarization. One that changes known
 * voices goes to the store's thread after that. A job has one owner at a time: the loop, then a
 * worker or the store, then the loop again, until it is done; only is_cancelled is shared.
 */
#ifndef VP_JOB_H
#define VP_JOB_H

#include "http/body.h"
#include "http/problem.h"
#include "http/query.h"
#include "voices/store.h"
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

enum job_kind {
    JOB_EMBED,
    JOB_COMPARE,
    JOB_DIARIZE,
    JOB_PROBE, /* one side, to be looked for among known voices */
    JOB_ENROL, /* one side whose clips stay apart, for the store; or none, for a deletion */
    JOB_OPEN_ENGINE,
    N_JOB_KINDS
};
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
    size_t n_clips;     /* 0: a stored embedding */
    struct clip *clips; /* owned [n_clips] */
    float *embeddings;  /* owned [n_clips, dim] */
    float *embedding;   /* owned [dim]: the side's, normalised (unless `raw`) */
    double coherence;
};

/* Makes sides or a conversation of a job's body. It looks at nothing but the job, so that a worker
 * may do it while the client leaves. False: job->problem says why. [any] */
typedef bool job_reader(struct job *job);

/* Makes the answer of a job that is done, where that takes long: job->written. It looks at nothing
 * but the job. False: job->problem says why. [worker] */
typedef bool job_writer(struct job *job);

/* An answer as it goes out. */
struct written {
    const char *type; /* its media type, static */
    char *text;       /* owned; NULL: none, or it was given away */
    size_t n_bytes;
};

struct job {
    unsigned magic;
    enum job_kind kind;
    struct job *next;      /* in a list of its owner */
    struct ticket *ticket; /* the loop's: whose place in the queue it is; NULL once nobody waits */
    char request_id[129];
    struct engine *engine;  /* a reference */
    struct holder holder;   /* on whose account it has its place; references */
    struct body body;       /* moved from the request; holds the clips' bytes */
    job_reader *read;       /* of the body, in the first turn; NULL: it is read, or there is none */
    job_writer *write;      /* of the answer, in the last turn; NULL: the loop makes it */
    struct written written; /* by it */
    char *content_type;     /* of the body, owned; NULL: none was said */
    struct query query;     /* the request's options */
    struct problem problem; /* what is wrong with the body, when `read` failed */
    bool raw;               /* leave the embedding of JOB_EMBED as the network gave it */
    size_t n_sides;
    struct side sides[JOB_MAX_SIDES];
    size_t at_side, at_clip; /* the clip of the next turn; after an error, the one at fault */
    double used_s,
        max_used_s; /* of all clips so far, and at most; max 0: no limit but each clip's */
    struct conversation conversation; /* JOB_DIARIZE, which has no sides */
    struct change change;             /* JOB_ENROL */
    struct store *store;              /* JOB_PROBE, JOB_DIARIZE: borrowed; NULL: there is none */
    size_t n_identified; /* who was looked for among known voices, as the answer says */
    char identified[VP_DIARIZE_MAX_SPEAKERS][VOICE_ID_ROOM]; /* [n_identified]; "": a stranger */
    bool is_stored;                                          /* the store had it */
    bool is_large; /* many turns: known when it is submitted, or once the body is read */
    bool is_long;  /* the queue's: others go first between its turns (queue.h) */

    size_t worker; /* which of the pool has it, and who helps: set when it is handed out */
    struct job_helpers helpers;
    struct box *box;         /* of that worker; NULL: decode here */
    struct sandbox *sandbox; /* for a box of the conversation's own; NULL: the same */
    uint64_t asked_ns;       /* when the request line came, for `write` */
    uint64_t queued_ns, started_ns, ended_ns; /* began first, ended last */
    double turn_ms;                           /* the last turn */
    double encode_ms;                         /* `write` */
    bool is_done;                             /* no turn is left; so it is after an error */
    enum vp_status status;                    /* the result; err when not VP_OK */
    struct vp_err err;
    bool self_test_failed;       /* after VP_ERR_INFERENCE: the engine itself is ill */
    const struct config *config; /* borrowed */
    struct engine *opened;       /* the result of JOB_OPEN_ENGINE */
    /* Set by job_cancel while the worker has the job, and read there. Apart from is_done and
     * status, which the compiler reads in one piece with whatever lies between them. */
    atomic_bool is_cancelled;
};

/* Zeroed job without sides. Holds the engine, borrows config. NULL when memory is short. The caller
 * owns it. [loop] */
struct job *job_new(enum job_kind kind, struct engine *engine, const struct config *config);
struct job *job_new_open(const struct config *config); /* [loop] NULL when memory is short */
/* Gives it n_sides zeroed sides, n_clips[i] clips on side i (0: a stored embedding), once. False:
 * memory is short, and job->problem says so. [any] */
bool job_set_sides(struct job *job, size_t n_sides, const size_t *n_clips) VP_MUST_CHECK;
/* Reads the body, once. False: job->problem is set. [any] */
bool job_read_body(struct job *job) VP_MUST_CHECK;
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
