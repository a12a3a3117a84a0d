/* Requests that wait: in the queue, then with a worker. Only the loop is here. */
#include "queue.h"

#include "admission.h"
#include "clock.h"
#include "connection.h"
#include "server.h"
#include "thread.h"

#include <stdio.h>

static void list_append(struct request_list *list, struct request *request)
{
    request->previous = list->last;
    request->next = NULL;
    if (list->last != NULL)
        list->last->next = request;
    else
        list->first = request;
    list->last = request;
    list->n++;
}

static void list_remove(struct request_list *list, struct request *request)
{
    if (request->previous != NULL)
        request->previous->next = request->next;
    else
        list->first = request->next;
    if (request->next != NULL)
        request->next->previous = request->previous;
    else
        list->last = request->previous;
    request->previous = request->next = NULL;
    list->n--;
}

/* Out of the queue or from among the running; a job that a worker holds loses its request. */
void queue_leave(struct request *request)
{
    if (request->is_queued)
        list_remove(&request->server->queue, request);
    if (request->is_running) {
        list_remove(&request->server->running, request);
        request->job->request = NULL;
        request->job = NULL;
    }
    request->is_queued = request->is_running = false;
}

void queue_submit(struct request *request, struct job *job)
{
    ON_LOOP();
    struct server *server = request->server;
    bool idle = workers_busy(server->workers) < workers_count(server->workers);
    if (!idle && server->queue.n >= server->config->queue_size) {
        admission_refuse_overload(request);
        job_free(job);
        return;
    }
    snprintf(job->request_id, sizeof job->request_id, "%s", request->id);
    job->request = request;
    job->queued_ns = clock_now_ns();
    request->job = job;
    request->state = REQUEST_QUEUED;
    request->queue_deadline_ns =
        job->queued_ns + clock_from_seconds(server->config->queue_timeout_ms * 1e-3);
    request->is_queued = true;
    list_append(&server->queue, request);
    if (request->connection != NULL) /* from here to the answer queue_tick watches */
        connection_enter(request->connection, CONNECTION_ANSWER, 0);
    MHD_suspend_connection(request->handle);
    server_dispatch(server);
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
    bool was_running = request->is_running;
    queue_resume(request, REQUEST_EXPIRED);
    if (kind == PROBLEM_DRAINING)
        problem_set(&request->problem, kind, "the service stopped before this request was done");
    else
        problem_set(&request->problem, kind,
                    was_running ? "not done within the time a request may take; try again"
                                : "waited too long for a worker; try again");
    /* A job that never ran is ours to free; one with a worker comes back by the mailbox. */
    if (!was_running) {
        job_free(request->job);
        request->job = NULL;
    }
}

static void let_go(struct request *request)
{
    request->server->metrics.clients_gone++;
    queue_resume(request, REQUEST_GONE);
    job_free(request->job);
    request->job = NULL;
    request->status = 499;
}

struct request *queue_next(struct server *server)
{
    ON_LOOP();
    uint64_t now_ns = clock_now_ns();
    struct request *request;
    while ((request = server->queue.first) != NULL) {
        if (now_ns >= request->queue_deadline_ns || now_ns >= request->deadline_ns) {
            expire(request, PROBLEM_QUEUE_TIMEOUT);
        } else if (request->connection != NULL && connection_peer_left(request->connection)) {
            let_go(request);
        } else {
            list_remove(&server->queue, request);
            request->is_queued = false;
            list_append(&server->running, request);
            request->is_running = true;
            return request;
        }
    }
    return NULL;
}

void queue_tick(struct server *server, uint64_t now_ns)
{
    ON_LOOP();
    struct request *next;
    for (struct request *at = server->queue.first; at != NULL; at = next) {
        next = at->next;
        if (now_ns >= at->queue_deadline_ns || now_ns >= at->deadline_ns)
            expire(at, PROBLEM_QUEUE_TIMEOUT);
        else if (at->connection != NULL && connection_peer_left(at->connection))
            let_go(at);
    }
    for (struct request *at = server->running.first; at != NULL; at = next) {
        next = at->next;
        if (now_ns >= at->deadline_ns)
            expire(at, PROBLEM_QUEUE_TIMEOUT);
    }
}

void queue_expire_all(struct server *server, enum problem_kind kind)
{
    ON_LOOP();
    while (server->queue.first != NULL)
        expire(server->queue.first, kind);
    while (server->running.first != NULL)
        expire(server->running.first, kind);
}
