/* Requests that wait: in the queue, then with a worker. Only the loop is here. */
#include "request/queue.h"

#include "http/connection.h"
#include "http/json.h"
#include "request/admission.h"
#include "server.h"
#include "util/clock.h"
#include "util/thread.h"

#include <stdio.h>

/*
 * After a slice a diarization rests for so many times its length before it goes ahead of clips that
 * came later. While clips wait, diarizations so get a fifth of the workers that they may use at
 * most; with nobody waiting they go on at once.
 */
enum { SLICE_REST = 4 };

static void list_append(struct request_list *list, struct request *request)
{
    request->list = list;
    request->previous = list->last;
    request->next = NULL;
    if (list->last != NULL)
        list->last->next = request;
    else
        list->first = request;
    list->last = request;
    list->n++;
}

static void list_remove(struct request *request)
{
    struct request_list *list = request->list;
    if (request->previous != NULL)
        request->previous->next = request->next;
    else
        list->first = request->next;
    if (request->next != NULL)
        request->next->previous = request->previous;
    else
        list->last = request->previous;
    request->previous = request->next = NULL;
    request->list = NULL;
    list->n--;
}

static bool is_running(const struct request *request)
{
    return request->list == &request->server->running;
}

void queue_leave(struct request *request)
{
    if (is_running(request)) {
        request->job->request = NULL;
        request->job = NULL;
    }
    if (request->list != NULL)
        list_remove(request);
}

bool queue_is_full(const struct server *server, enum job_kind kind)
{
    if (kind == JOB_DIARIZE)
        return server->slices.n + server->n_slicing >= server->config->queue_size;
    return server->queue.n >= server->config->queue_size &&
           workers_busy(server->workers) == workers_count(server->workers);
}

void queue_submit(struct request *request, struct job *job)
{
    ON_LOOP();
    struct server *server = request->server;
    if (queue_is_full(server, job->kind)) {
        admission_refuse_overload(request);
        job_free(job);
        return;
    }
    snprintf(job->request_id, sizeof job->request_id, "%s", request->id);
    job->request = request;
    job->queued_ns = clock_now_ns();
    request->job = job;
    request->state = REQUEST_QUEUED;
    request->turn_ns = job->queued_ns;
    request->queue_deadline_ns =
        job->queued_ns + clock_from_seconds(server->config->queue_timeout_ms * 1e-3);
    list_append(job->kind == JOB_DIARIZE ? &server->slices : &server->queue, request);
    if (request->connection != NULL) /* from here to the answer queue_tick watches */
        connection_enter(request->connection, CONNECTION_ANSWER, 0);
    MHD_suspend_connection(request->handle);
    server_dispatch(server);
}

void queue_again(struct request *request)
{
    ON_LOOP();
    VP_BUG_IF(!is_running(request));
    const double rest_s = 1e-3 * SLICE_REST * request->job->conversation.slice_ms;
    list_remove(request);
    request->turn_ns = clock_now_ns() + clock_from_seconds(rest_s);
    request->queue_deadline_ns = UINT64_MAX; /* it had its worker */
    list_append(&request->server->slices, request);
}

void queue_resume(struct request *request, enum request_state state)
{
    VP_BUG_IF(request->state != REQUEST_QUEUED);
    queue_leave(request);
    request->state = state;
    MHD_resume_connection(request->handle); /* a run of the listener must follow */
}

static void expire(struct request *request, enum problem_kind kind)
{
    const bool was_running = is_running(request);
    struct job *job = request->job;
    if (kind == PROBLEM_DRAINING)
        problem_set(&request->problem, kind, "the service stopped before this request was done");
    else
        problem_set(&request->problem, kind,
                    was_running || request->stream.is_open
                        ? "not done within the time a request may take; try again"
                        : "waited too long for a worker; try again");
    if (request->stream.is_open) {
        queue_leave(request);
        ndjson_end(request, json_problem(&request->problem, request->id, request->server->queue.n));
    } else {
        queue_resume(request, REQUEST_EXPIRED);
    }
    /* A job that never ran is ours to free; one with a worker comes back by the mailbox. */
    if (!was_running) {
        job_free(job);
        request->job = NULL;
    }
}

static void let_go(struct request *request)
{
    request->server->metrics.clients_gone++;
    if (request->stream.is_open) {
        queue_leave(request);
        ndjson_cut(request);
    } else {
        queue_resume(request, REQUEST_GONE);
    }
    job_free(request->job);
    request->job = NULL;
    request->status = 499;
}

/* Is request worth working on? Otherwise it went. */
static bool is_worth_it(struct request *request, uint64_t now_ns)
{
    if (now_ns >= request->queue_deadline_ns || now_ns >= request->deadline_ns)
        expire(request, PROBLEM_QUEUE_TIMEOUT);
    else if (request->connection != NULL && connection_peer_left(request->connection))
        let_go(request);
    else
        return true;
    return false;
}

/* The clip whose turn it is, NULL: none waits. */
static struct request *next_clip(struct server *server, uint64_t now_ns)
{
    while (server->queue.first != NULL)
        if (is_worth_it(server->queue.first, now_ns))
            return server->queue.first;
    return NULL;
}

/* The diarization whose turn it is; NULL: none waits, or enough workers are at slices already: one
 * worker at least is left to clips, where there are two. */
static struct request *next_slice(struct server *server, uint64_t now_ns)
{
    const size_t n_workers = workers_count(server->workers);
    if (server->n_slicing >= (n_workers > 1 ? n_workers - 1 : 1))
        return NULL;
    for (;;) {
        struct request *found = server->slices.first;
        for (struct request *at = found; at != NULL; at = at->next)
            if (at->turn_ns < found->turn_ns)
                found = at;
        if (found == NULL || is_worth_it(found, now_ns))
            return found;
    }
}

struct request *queue_next(struct server *server)
{
    ON_LOOP();
    uint64_t now_ns = clock_now_ns();
    struct request *clip = next_clip(server, now_ns), *slice = next_slice(server, now_ns);
    struct request *next =
        slice == NULL || (clip != NULL && clip->turn_ns <= slice->turn_ns) ? clip : slice;
    if (next == NULL)
        return NULL;
    server->n_slicing += next == slice;
    list_remove(next);
    list_append(&server->running, next);
    return next;
}

void queue_tick(struct server *server, uint64_t now_ns)
{
    ON_LOOP();
    struct request_list *const waiting[] = {&server->queue, &server->slices};
    struct request *next;
    for (size_t i = 0; i < 2; i++) {
        for (struct request *at = waiting[i]->first; at != NULL; at = next) {
            next = at->next;
            if (is_worth_it(at, now_ns) && at->stream.is_open)
                ndjson_progress(at, now_ns);
        }
    }
    for (struct request *at = server->running.first; at != NULL; at = next) {
        next = at->next;
        if (now_ns >= at->deadline_ns)
            expire(at, PROBLEM_QUEUE_TIMEOUT);
        else if (at->stream.is_open)
            ndjson_progress(at, now_ns);
    }
}

void queue_expire_all(struct server *server, enum problem_kind kind)
{
    ON_LOOP();
    struct request_list *const lists[] = {&server->queue, &server->slices, &server->running};
    for (size_t i = 0; i < 3; i++)
        while (lists[i]->first != NULL)
            expire(lists[i]->first, kind);
}
