/* Tickets on their way to a worker and back. Only the loop is here. */
#include "request/queue.h"

#include "util/clock.h"
#include "util/thread.h"

#include <string.h>

/*
 * After a turn long work rests for so many times the turn's length before it goes ahead of clips
 * that came later. While clips wait, long work so gets a fifth of the workers that it may use at
 * most; with nobody waiting it goes on at once. As each rests by what it took, long turns and short
 * ones get the same share of time.
 */
enum { LONG_REST = 4 };
/* The weight of the latest job in the moving average: the last twenty or so count. */
static const double newest_weight = 0.1;

/* What a job's place is of. */
static enum share share_of(enum job_kind kind, bool is_long)
{
    if (!is_long)
        return SHARE_CLIPS;
    return kind == JOB_DIARIZE ? SHARE_DIARIZATIONS : SHARE_COMPARISONS;
}

/* Long work has its place until it is done, whether it waits or runs. */
static void begin_long(struct queue *queue, struct job *job)
{
    queue->n_long[job->kind]++;
    holder_take(&job->holder, share_of(job->kind, true), 1);
}

static void end_long(struct queue *queue, struct job *job)
{
    queue->n_long[job->kind]--;
    holder_give(&job->holder, share_of(job->kind, true), 1);
}

/* A clip has its place while it waits. */
static void enter(struct queue *queue, struct ticket *ticket, enum ticket_place place)
{
    struct ticket_list *list = &queue->at[place];
    ticket->place = place;
    if (place == TICKET_CLIPS)
        holder_take(&ticket->job->holder, SHARE_CLIPS, 1);
    ticket->previous = list->last;
    ticket->next = NULL;
    if (list->last != NULL)
        list->last->next = ticket;
    else
        list->first = ticket;
    list->last = ticket;
    list->n++;
}

static void enter_first(struct queue *queue, struct ticket *ticket, enum ticket_place place)
{
    struct ticket_list *list = &queue->at[place];
    ticket->place = place;
    if (place == TICKET_CLIPS)
        holder_take(&ticket->job->holder, SHARE_CLIPS, 1);
    ticket->previous = NULL;
    ticket->next = list->first;
    if (list->first != NULL)
        list->first->previous = ticket;
    else
        list->last = ticket;
    list->first = ticket;
    list->n++;
}

static void leave(struct queue *queue, struct ticket *ticket)
{
    struct ticket_list *list = &queue->at[ticket->place];
    if (ticket->place == TICKET_OUT)
        return;
    if (ticket->place == TICKET_CLIPS)
        holder_give(&ticket->job->holder, SHARE_CLIPS, 1);
    if (ticket->previous != NULL)
        ticket->previous->next = ticket->next;
    else
        list->first = ticket->next;
    if (ticket->next != NULL)
        ticket->next->previous = ticket->previous;
    else
        list->last = ticket->previous;
    ticket->previous = ticket->next = NULL;
    ticket->place = TICKET_OUT;
    list->n--;
}

/* Somebody else has the ticket's job. */
static bool is_away(enum ticket_place place)
{
    return place == TICKET_RUNNING || place == TICKET_STORING;
}

const struct job *ticket_result(const struct ticket *ticket)
{
    const struct job *job = ticket->job;
    return !is_away(ticket->place) && job != NULL && job->ended_ns != 0 ? job : NULL;
}

void queue_init(struct queue *queue, size_t size, const struct workers *workers,
                const struct queue_calls *calls)
{
    memset(queue, 0, sizeof *queue);
    queue->size = size;
    queue->workers = workers;
    queue->calls = calls;
}

bool queue_is_full(const struct queue *queue, enum job_kind kind, bool is_large)
{
    if (is_large)
        return queue->n_long[kind] >= queue->size;
    return queue_depth(queue) >= queue->size &&
           workers_busy(queue->workers) == workers_count(queue->workers);
}

size_t queue_depth(const struct queue *queue)
{
    return queue->at[TICKET_CLIPS].n;
}

size_t queue_diarizations(const struct queue *queue)
{
    return queue->n_long[JOB_DIARIZE];
}

double queue_wait_s(const struct queue *queue)
{
    return (double)(queue_depth(queue) + 1) * queue->mean_turn_s /
           (double)workers_count(queue->workers);
}

void queue_submit(struct queue *queue, struct ticket *ticket, struct job *job)
{
    ON_LOOP();
    VP_BUG_IF(ticket->place != TICKET_OUT || ticket->job != NULL);
    job->ticket = ticket;
    job->queued_ns = clock_now_ns();
    ticket->job = job;
    ticket->turn_ns = job->queued_ns;
    job->is_long = job->is_large;
    if (job->is_long)
        begin_long(queue, job);
    enter(queue, ticket, job->is_long ? TICKET_LONG : TICKET_CLIPS);
}

void queue_drop(struct queue *queue, struct ticket *ticket)
{
    ON_LOOP();
    struct job *job = ticket->job;
    const enum ticket_place place = ticket->place;
    leave(queue, ticket);
    ticket->job = NULL;
    if (is_away(place)) {
        job->ticket = NULL;
        job_cancel(job);
        return;
    }
    if (place == TICKET_LONG)
        end_long(queue, job);
    job_free(job);
}

static void expire(struct queue *queue, struct ticket *ticket, enum problem_kind kind)
{
    const bool had_begun = ticket->start_deadline_ns == UINT64_MAX;
    queue_drop(queue, ticket);
    queue->calls->on_expired(ticket, kind, had_begun);
}

/* Of those that wait for such a place and give way to holder, the one that came last; NULL: none.
 */
static struct ticket *who_gives_way(const struct queue *queue, enum job_kind kind, bool is_large,
                                    const struct holder *holder)
{
    const enum share share = share_of(kind, is_large);
    struct ticket *found = NULL;
    for (struct ticket *at = queue->at[is_large ? TICKET_LONG : TICKET_CLIPS].first; at != NULL;
         at = at->next)
        if ((!is_large || at->job->kind == kind) &&
            holder_gives_way(&at->job->holder, holder, share, 1) &&
            (found == NULL || at->job->queued_ns >= found->job->queued_ns))
            found = at;
    return found;
}

bool queue_has_place(const struct queue *queue, enum job_kind kind, bool is_large,
                     const struct holder *holder)
{
    ON_LOOP();
    return !queue_is_full(queue, kind, is_large) ||
           who_gives_way(queue, kind, is_large, holder) != NULL;
}

bool queue_make_place(struct queue *queue, enum job_kind kind, bool is_large,
                      const struct holder *holder)
{
    ON_LOOP();
    if (!queue_is_full(queue, kind, is_large))
        return true;
    struct ticket *last = who_gives_way(queue, kind, is_large, holder);
    if (last != NULL)
        expire(queue, last, PROBLEM_SHARE_USED_UP);
    return last != NULL;
}

/* Returns false after expiring or dropping the ticket. */
static bool is_worth_it(struct queue *queue, struct ticket *ticket, uint64_t now_ns)
{
    if (now_ns >= ticket->start_deadline_ns || now_ns >= ticket->deadline_ns) {
        expire(queue, ticket, PROBLEM_QUEUE_TIMEOUT);
        return false;
    }
    if (queue->calls->has_left(ticket)) {
        queue_drop(queue, ticket);
        queue->calls->on_gone(ticket);
        return false;
    }
    return true;
}

/* The clip whose turn it is, NULL: none waits. */
static struct ticket *next_clip(struct queue *queue, uint64_t now_ns)
{
    const struct ticket_list *clips = &queue->at[TICKET_CLIPS];
    while (clips->first != NULL)
        if (is_worth_it(queue, clips->first, now_ns))
            return clips->first;
    return NULL;
}

/* The long work whose turn it is; NULL: none waits, or enough workers are at long work already: one
 * worker at least is left to clips, where there are two. */
static struct ticket *next_long(struct queue *queue, uint64_t now_ns)
{
    const size_t n_workers = workers_count(queue->workers);
    if (queue->n_long_turns >= (n_workers > 1 ? n_workers - 1 : 1))
        return NULL;
    for (;;) {
        struct ticket *found = queue->at[TICKET_LONG].first;
        for (struct ticket *at = found; at != NULL; at = at->next)
            if (at->turn_ns < found->turn_ns)
                found = at;
        if (found == NULL || is_worth_it(queue, found, now_ns))
            return found;
    }
}

struct ticket *queue_next(struct queue *queue)
{
    ON_LOOP();
    uint64_t now_ns = clock_now_ns();
    struct ticket *clip = next_clip(queue, now_ns), *work = next_long(queue, now_ns);
    struct ticket *next =
        work == NULL || (clip != NULL && clip->turn_ns <= work->turn_ns) ? clip : work;
    if (next == NULL)
        return NULL;
    queue->n_long_turns += next == work;
    next->start_deadline_ns = UINT64_MAX;
    leave(queue, next);
    enter(queue, next, TICKET_RUNNING);
    return next;
}

struct ticket *queue_take_back(struct queue *queue, struct job *job)
{
    ON_LOOP();
    struct ticket *ticket = job->ticket;
    if (job->is_long) {
        queue->n_long_turns--;
        end_long(queue, job);
    } else if (job->status != VP_ERR_CANCELLED) {
        queue->mean_turn_s += (queue->mean_turn_s > 0 ? newest_weight : 1.0) *
                              (1e-3 * job->turn_ms - queue->mean_turn_s);
    }
    if (ticket == NULL) {
        job_free(job);
        return NULL;
    }
    VP_BUG_IF(ticket->place != TICKET_RUNNING || ticket->job != job);
    leave(queue, ticket);
    return ticket;
}

void queue_store(struct queue *queue, struct ticket *ticket, struct job *job)
{
    ON_LOOP();
    VP_BUG_IF(ticket->place != TICKET_OUT || (ticket->job != NULL && ticket->job != job));
    job->ticket = ticket;
    job->is_stored = true;
    ticket->job = job;
    ticket->start_deadline_ns = UINT64_MAX;
    enter(queue, ticket, TICKET_STORING);
}

struct ticket *queue_take_stored(struct queue *queue, struct job *job)
{
    ON_LOOP();
    struct ticket *ticket = job->ticket;
    if (ticket == NULL) {
        job_free(job);
        return NULL;
    }
    leave(queue, ticket);
    return ticket;
}

size_t queue_away(const struct queue *queue)
{
    return queue->at[TICKET_RUNNING].n + queue->at[TICKET_STORING].n;
}

bool queue_again(struct queue *queue, struct ticket *ticket)
{
    ON_LOOP();
    struct job *job = ticket->job;
    if (job->is_large && !job->is_long && !queue_make_place(queue, job->kind, true, &job->holder)) {
        expire(queue, ticket, PROBLEM_OVERLOADED);
        return false;
    }
    job->is_long = job->is_large;
    if (job->is_long) {
        ticket->turn_ns = clock_now_ns() + clock_from_seconds(1e-3 * LONG_REST * job->turn_ms);
        begin_long(queue, job);
        enter(queue, ticket, TICKET_LONG);
    } else { /* it keeps the turn that it came with */
        enter_first(queue, ticket, TICKET_CLIPS);
    }
    return true;
}

void queue_tick(struct queue *queue, uint64_t now_ns)
{
    ON_LOOP();
    /* What the store has is not begun before its turn comes: it is looked after as what waits. */
    static const enum ticket_place waiting[] = {TICKET_CLIPS, TICKET_LONG, TICKET_STORING};
    struct ticket *next;
    for (size_t i = 0; i < sizeof waiting / sizeof waiting[0]; i++) {
        for (struct ticket *at = queue->at[waiting[i]].first; at != NULL; at = next) {
            next = at->next;
            if (is_worth_it(queue, at, now_ns))
                queue->calls->on_tick(at, now_ns);
        }
    }
    /* For a client that left nothing is to be kept, so that its enrolment ends in mid-turn, too. */
    for (struct ticket *at = queue->at[TICKET_RUNNING].first; at != NULL; at = next) {
        next = at->next;
        if (now_ns >= at->deadline_ns)
            expire(queue, at, PROBLEM_QUEUE_TIMEOUT);
        else if (at->job->kind != JOB_ENROL || is_worth_it(queue, at, now_ns))
            queue->calls->on_tick(at, now_ns);
    }
}

void queue_expire_all(struct queue *queue, enum problem_kind kind)
{
    ON_LOOP();
    for (size_t i = 0; i < N_TICKET_PLACES; i++)
        while (queue->at[i].first != NULL)
            expire(queue, queue->at[i].first, kind);
}
