/*
 * Who waits for a worker, as tickets: clips for their turn, long work for its next one (a clip of a
 * large comparison, a slice of a diarization), and those whose jobs are with workers. A ticket
 * whose deadline passes, or whose client leaves, is taken out here; whoever it belongs to hears of
 * it by a table of calls.
 */
#ifndef VP_QUEUE_H
#define VP_QUEUE_H

#include "http/problem.h"
#include "work/workers.h"

struct request;

enum ticket_place {
    TICKET_OUT = 0, /* not submitted, or done */
    TICKET_CLIPS,   /* waits for a worker */
    TICKET_LONG, /* work of many turns that waits for its next: diarizations, large comparisons */
    TICKET_RUNNING, /* its job is with a worker */
    TICKET_STORING, /* its job is with the store */
    N_TICKET_PLACES
};

/* A request's place in the queue; part of the request. */
struct ticket {
    struct request *request; /* whose it is; the queue never looks into it */
    enum ticket_place place;
    struct ticket *previous, *next; /* at that place */
    struct job *job; /* owned, but for TICKET_RUNNING and TICKET_STORING: then the other has it */
    uint64_t deadline_ns;       /* from then on a result comes too late */
    uint64_t start_deadline_ns; /* from then on it is not begun any more; UINT64_MAX: it was */
    uint64_t turn_ns;           /* since when it waits, or when its next turn is due */
};

/* The ticket's job when it has run and is back; NULL while somebody else has it, or before. [loop]
 */
const struct job *ticket_result(const struct ticket *ticket);

/* What the queue tells, each on the loop. A ticket is out of the queue when on_expired, on_gone or
 * on_done is called; its job is freed or orphaned in the first two, and its own again in the last.
 */
struct queue_calls {
    bool (*has_left)(const struct ticket *ticket); /* has the client gone? */
    void (*on_expired)(struct ticket *ticket, enum problem_kind kind, bool had_begun);
    void (*on_gone)(struct ticket *ticket);
    void (*on_tick)(struct ticket *ticket, uint64_t now_ns); /* it goes on waiting, or running */
    void (*on_turn)(struct ticket *ticket);   /* one is over; it waits for the next */
    void (*on_done)(struct ticket *ticket);   /* the job is back for good */
    void (*on_stored)(struct ticket *ticket); /* the same, from the store */
};

struct ticket_list {
    struct ticket *first, *last;
    size_t n;
};

struct queue {
    const struct queue_calls *calls;
    const struct workers *workers;
    size_t size;                            /* how many may wait, of each kind */
    struct ticket_list at[N_TICKET_PLACES]; /* oldest first; TICKET_OUT stays empty */
    size_t n_long_turns;                    /* turns of long work with workers, orphans too */
    size_t n_long[N_JOB_KINDS];             /* long work that waits or is with workers, by kind;
                                             * each is counted for its holder too */
    double mean_turn_s; /* moving average of a clip's time on a worker, without long work */
};

void queue_init(struct queue *queue, size_t size, const struct workers *workers,
                const struct queue_calls *calls); /* [start] */
/* Are all places for a job of this kind taken? Long work has places of its own, for each kind.
 * [loop]
 */
bool queue_is_full(const struct queue *queue, enum job_kind kind, bool is_large);
/* The same for that holder: false as well when somebody would give way, who holds more than his
 * share while this one would be within his own. [loop] */
bool queue_has_place(const struct queue *queue, enum job_kind kind, bool is_large,
                     const struct holder *holder);
/* Makes that place, if need be: whoever gives way hears on_expired. False: there is none. [loop] */
bool queue_make_place(struct queue *queue, enum job_kind kind, bool is_large,
                      const struct holder *holder) VP_MUST_CHECK;
/* How many clips wait. [loop] */
size_t queue_depth(const struct queue *queue);
/* How many diarizations are under way. [loop] */
size_t queue_diarizations(const struct queue *queue);
/* Seconds until what waits is done, at the pace of late; not rounded. [loop] */
double queue_wait_s(const struct queue *queue);
/* Takes job and lets the ticket, whose deadlines are set, wait. The queue is not full. [loop] */
void queue_submit(struct queue *queue, struct ticket *ticket, struct job *job);
/* The ticket whose turn it is, now running: its job goes to a worker. NULL: none. [loop] */
struct ticket *queue_next(struct queue *queue);
/* A job is back from its worker. Returns its ticket, out of the queue and owning the job; NULL:
 * nobody waits for it any more, and it is freed. [loop] */
struct ticket *queue_take_back(struct queue *queue, struct job *job);
/* The ticket's job has turns left, and it waits for the next one. False: its body, now that it is
 * read, makes it long work, for which no place is left; on_expired was called. [loop] */
bool queue_again(struct queue *queue, struct ticket *ticket) VP_MUST_CHECK;
/* The ticket's job, which a worker has done or need not do, goes to the store. Takes job where the
 * ticket has none yet. [loop] */
void queue_store(struct queue *queue, struct ticket *ticket, struct job *job);
/* As queue_take_back, of a job that the store had. [loop] */
struct ticket *queue_take_stored(struct queue *queue, struct job *job);
/* How many jobs are with workers or the store. [loop] */
size_t queue_away(const struct queue *queue);
/* Nobody waits any more: out of the queue; its job is freed, or when it comes back if a worker or
 * the store has it. Legal on a ticket that is out. [loop] */
void queue_drop(struct queue *queue, struct ticket *ticket);
/* Looks after everything that waits or runs: deadlines, clients that left. [loop] */
void queue_tick(struct queue *queue, uint64_t now_ns);
/* Ends everything that waits or runs with `kind`; for the end of the drain. [loop] */
void queue_expire_all(struct queue *queue, enum problem_kind kind);

#endif
