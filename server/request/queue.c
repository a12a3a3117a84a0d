/* Tickets on their way to a worker and back. Only the loop is here. */
#include "request/queue.h"

#include "util/clock.h"
#include "util/thread.h"

#include <string.h>

/*
 * After a slice a diarization rests for so many times its length before it goes ahead of clips that
 * came later. While clips wait, diarizations so get a fifth of the workers that they may use at
 * most; with nobody waiting they go on at once.
 */
enum { SLICE_REST = 4 };
/* The weight of the latest job in the moving average: the last twenty or so count. */
static const double newest_weight = 0.1;

static void enter(struct queue *queue, struct ticket *ticket, enum ticket_place place)
{
    struct ticket_list *list = &queue->at[place];
    ticket->place = place;
    ticket->previous = list->last;
    ticket->next = NULL;
    if (list->last != NULL)
        list->last->next = ticket;
    else
        list->first = ticket;
    list->last = ticket;
    list->n++;
}

static void leave(struct queue *queue, struct ticket *ticket)
{
    struct ticket_list *list = &queue->at[ticket->place];
    if (ticket->place == TICKET_OUT)
        return;
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

const struct job *ticket_result(const struct ticket *ticket)
{
    const struct job *job = ticket->job;
    return ticket->place != TICKET_RUNNING && job != NULL && job->ended_ns != 0 ? job : NULL;
}

void queue_init(struct queue *queue, size_t size, const struct workers *workers,
                const struct queue_calls *calls)
{
    memset(queue, 0, sizeof *queue);
    queue->size = size;
    queue->workers = workers;
    queue->calls = calls;
}

bool queue_is_full(const struct queue *queue, enum job_kind kind)
{
    if (kind == JOB_DIARIZE)
        return queue_diarizations(queue) >= queue->size;
    return queue_depth(queue) >= queue->size &&
           workers_busy(queue->workers) == workers_count(queue->workers);
}

size_t queue_depth(const struct queue *queue)
{
    return queue->at[TICKET_CLIPS].n;
}

size_t queue_diarizations(const struct queue *queue)
{
    return queue->at[TICKET_SLICES].n + queue->n_slicing;
}

double queue_wait_s(const struct queue *queue)
{
    return (double)(queue_depth(queue) + 1) * queue->mean_service_s /
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
    enter(queue, ticket, job->kind == JOB_DIARIZE ? TICKET_SLICES : TICKET_CLIPS);
}

void queue_drop(struct queue *queue, struct ticket *ticket)
{
    ON_LOOP();
    if (ticket->place == TICKET_RUNNING)
        ticket->job->ticket = NULL;
    else
        job_free(ticket->job);
    ticket->job = NULL;
    leave(queue, ticket);
}

static void expire(struct queue *queue, struct ticket *ticket, enum problem_kind kind)
{
    const bool had_begun = ticket->start_deadline_ns == UINT64_MAX;
    queue_drop(queue, ticket);
    queue->calls->on_expired(ticket, kind, had_begun);
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

/* The diarization whose turn it is; NULL: none waits, or enough workers are at slices already: one
 * worker at least is left to clips, where there are two. */
static struct ticket *next_slice(struct queue *queue, uint64_t now_ns)
{
    const size_t n_workers = workers_count(queue->workers);
    if (queue->n_slicing >= (n_workers > 1 ? n_workers - 1 : 1))
        return NULL;
    for (;;) {
        struct ticket *found = queue->at[TICKET_SLICES].first;
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
    struct ticket *clip = next_clip(queue, now_ns), *slice = next_slice(queue, now_ns);
    struct ticket *next =
        slice == NULL || (clip != NULL && clip->turn_ns <= slice->turn_ns) ? clip : slice;
    if (next == NULL)
        return NULL;
    queue->n_slicing += next == slice;
    next->start_deadline_ns = UINT64_MAX;
    leave(queue, next);
    enter(queue, next, TICKET_RUNNING);
    return next;
}

struct ticket *queue_take_back(struct queue *queue, struct job *job)
{
    ON_LOOP();
    struct ticket *ticket = job->ticket;
    if (job->kind == JOB_DIARIZE) {
        queue->n_slicing--;
    } else {
        double service_s = 1e-3 * clock_ms_since(job->started_ns, job->ended_ns);
        queue->mean_service_s +=
            (queue->mean_service_s > 0 ? newest_weight : 1.0) * (service_s - queue->mean_service_s);
    }
    if (ticket == NULL) {
        job_free(job);
        return NULL;
    }
    VP_BUG_IF(ticket->place != TICKET_RUNNING || ticket->job != job);
    leave(queue, ticket);
    return ticket;
}

void queue_again(struct queue *queue, struct ticket *ticket)
{
    ON_LOOP();
    const double rest_s = 1e-3 * SLICE_REST * ticket->job->conversation.slice_ms;
    ticket->turn_ns = clock_now_ns() + clock_from_seconds(rest_s);
    enter(queue, ticket, TICKET_SLICES);
}

void queue_tick(struct queue *queue, uint64_t now_ns)
{
    ON_LOOP();
    static const enum ticket_place waiting[] = {TICKET_CLIPS, TICKET_SLICES};
    struct ticket *next;
    for (size_t i = 0; i < 2; i++) {
        for (struct ticket *at = queue->at[waiting[i]].first; at != NULL; at = next) {
            next = at->next;
            if (is_worth_it(queue, at, now_ns))
                queue->calls->on_tick(at, now_ns);
        }
    }
    for (struct ticket *at = queue->at[TICKET_RUNNING].first; at != NULL; at = next) {
        next = at->next;
        if (now_ns >= at->deadline_ns)
            expire(queue, at, PROBLEM_QUEUE_TIMEOUT);
        else
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
