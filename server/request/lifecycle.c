/* The life of a request. What its headers decide is admission.c's part, how it waits queue.c's. */
#include "request/lifecycle.h"

#include "http/cors.h"
#include "http/listener.h"
#include "request/account.h"
#include "request/admission.h"
#include "request/answer.h"
#include "request/deadlines.h"
#include "request/dispatch.h"
#include "util/clock.h"
#include "util/thread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- the end -------------------------------------------------------------------------------- */

/* Was it cut for what its body has between chunks? */
static bool has_faulty_body(const struct connection *connection)
{
    return connection->wire.fault_is_in_body &&
           connection->wire.fault_at == connection->n_requests - 1;
}

/* The one end of a request, however it comes. `status` is for the log when we gave no answer and
 * did not cut the connection either. */
static void end(struct request *request, unsigned status)
{
    VP_CHECK_MAGIC(request, REQUEST_MAGIC);
    struct connection *connection = request->connection;
    const bool is_faulty = request->status == 0 && has_faulty_body(connection);
    if (is_faulty)
        problem_set_framing(&request->problem, connection->wire.fault);
    if (request->status == 0 && connection->cut && !is_faulty)
        request->status = connection->peer_left ? 499 : MHD_HTTP_REQUEST_TIMEOUT;
    else if (request->status == 0)
        request->status = is_faulty ? MHD_HTTP_BAD_REQUEST : status;
    account_request(request);
    if (request->service->drain != DRAIN_NOT && request->state != REQUEST_REPLYING)
        request->service->n_lost_in_drain++;
    connection->request = NULL;
    connection->upload = NULL;
    deadlines_enter(request, AWAITS_NEXT);
    crash_set_request(NULL);
    queue_drop(&request->service->queue, &request->ticket);
    body_close(&request->body);
    holder_close(&request->holder);
    ndjson_close(&request->stream);
    free(request->target);
    request->service->n_open_requests--;
    request->magic = 0;
    free(request);
}

/* libmicrohttpd answers some malformed heads by itself, and does not report the end of all of them:
 * of none whose arguments do not fit into its memory. */
static void end_unreported(struct request *request)
{
    end(request, MHD_HTTP_BAD_REQUEST);
}

void request_on_connection_end(struct connection *connection)
{
    ON_LOOP();
    if (connection->request != NULL)
        end_unreported(connection->request);
}

/* ---- HEAD ----------------------------------------------------------------------------------- */

/* The path of a target in origin-form or absolute-form, without /v1; cuts the query off. */
static void split_target(struct request *request)
{
    char *path = request->target;
    if (strncasecmp(path, "http://", 7) == 0 || strncasecmp(path, "https://", 8) == 0) {
        char *slash = strpbrk(strstr(path, "//") + 2, "/?");
        path = slash != NULL ? slash : path + strlen(path);
    }
    char *question = strchr(path, '?');
    if (question != NULL) {
        *question = 0;
        request->query_text = question + 1;
    }
    if (strncmp(path, "/v1/", 4) == 0)
        path += 3;
    request->path = *path != 0 ? path : "/";
}

static void *on_target(void *context, const char *target, struct MHD_Connection *handle)
{
    ON_LOOP();
    struct listener *listener = context;
    struct service *service = listener->owner;
    struct connection *connection = connection_of(handle);
    if (connection == NULL) /* memory was short for it */
        return NULL;        /* on_call closes it */
    if (connection->request != NULL)
        end_unreported(connection->request);
    connection->n_requests++;
    struct request *request = calloc(1, sizeof *request);
    if (request == NULL || (request->target = strdup(target)) == NULL) {
        free(request);
        return NULL;
    }
    request->magic = REQUEST_MAGIC;
    request->service = service;
    request->came_to_admin = listener->is_admin;
    request->hosts = &listener->hosts;
    request->handle = handle;
    request->connection = connection;
    request->ticket.request = request;
    request->uploads = &service->uploads;
    request->work_timeout_s = service->config->request_timeout_s;
    request->n_target = strlen(target);
    request->started_ns = clock_now_ns();
    split_target(request);
    request->route = routes_find(request->path);
    snprintf(request->id, sizeof request->id, "-");
    service->n_open_requests++;
    connection->request = request;
    connection->upload = &request->body;
    deadlines_enter(request, AWAITS_HEAD);
    return request;
}

/* The request is here in full: an answer, or a job. */
static enum MHD_Result answer_whole(struct request *request)
{
    if (request->is_preflight)
        return answer_empty(request, MHD_HTTP_NO_CONTENT);
    if (request->problem.kind == PROBLEM_NONE && request->route->takes_body)
        admission_judge_body(request);
    if (request->problem.kind != PROBLEM_NONE)
        return answer_problem(request);
    request->route->on_body(request);
    if (request->problem.kind != PROBLEM_NONE && request->state <= REQUEST_READING)
        return answer_problem(request);
    /* Neither answered nor submitted: memory was short. */
    return request->state <= REQUEST_READING || request->state == REQUEST_FAILED ? MHD_NO : MHD_YES;
}

/* What our own reader of the connection says of this request's head. */
static const char *judge_wire(const struct request *request)
{
    const struct connection *connection = request->connection;
    return wire_judge(&connection->wire, connection->n_requests - 1);
}

/* A request without a body is answered in the next call: libmicrohttpd closes a connection that
 * is answered in the first one. With a body the answer is given before it comes. */
static enum MHD_Result on_head(struct request *request, const struct request_line *line)
{
    const char *origins = request->service->config->cors_origins;
    const struct head *head = &request->head;
    snprintf(request->method, sizeof request->method, "%s", line->method);
    head_request_id(request->handle, request->id);
    head_trace_id(request->handle, request->trace_id);
    if (head_read(request->handle, line, judge_wire(request), &request->head, &request->problem)) {
        request->is_preflight =
            request->route->path != NULL &&
            cors_is_preflight(origins, head->origin, line->method, request->handle);
        if (!request->is_preflight)
            admission_judge(request);
        if (request->problem.kind == PROBLEM_NONE && !request->is_preflight &&
            request->route->takes_body)
            admission_open_body(request);
    }
    deadlines_enter(request, AWAITS_BODY);
    bool has_body = head->declared_bytes != 0;
    if (request->problem.kind != PROBLEM_NONE &&
        (has_body || problem_rule(request->problem.kind)->close))
        return answer_problem(request);
    if (has_body && (!request->route->takes_body || request->is_preflight))
        return answer_whole(request); /* nobody reads that body */
    request->state = REQUEST_READING;
    return MHD_YES;
}

/* ---- READING -------------------------------------------------------------------------------- */

static enum MHD_Result on_upload(struct request *request, const char *upload, size_t *n_upload)
{
    body_append(&request->body, upload, *n_upload);
    *n_upload = 0;
    if (!body_is_hopeless(&request->body))
        return MHD_YES;
    /* An answer cannot be queued in mid-upload: what goes on beyond reason is closed. */
    problem_set(&request->problem, PROBLEM_BODY_TOO_LARGE, "closed in mid-upload");
    request->status = problem_rule(PROBLEM_BODY_TOO_LARGE)->status;
    return MHD_NO;
}

static enum MHD_Result on_body(struct request *request, const char *upload, size_t *n_upload)
{
    if (*n_upload > 0)
        return on_upload(request, upload, n_upload);
    return request->status == 0 ? answer_whole(request)
                                : MHD_NO; /* it was sent off, see patience.h */
}

/* ---- WAITING -------------------------------------------------------------------------------- */

void request_submit(struct request *request, struct job *job)
{
    ON_LOOP();
    struct service *service = request->service;
    if (!queue_make_place(&service->queue, job->kind, job->is_large, &job->holder)) {
        problem_set_overloaded(&request->problem);
        job_free(job);
        return;
    }
    snprintf(job->request_id, sizeof job->request_id, "%s", request->id);
    deadlines_enter(request, AWAITS_WORK);
    queue_submit(&service->queue, &request->ticket, job);
    request->state = REQUEST_WAITING;
    MHD_suspend_connection(request->handle);
    dispatch_jobs(service);
}

void request_store(struct request *request, struct job *job)
{
    ON_LOOP();
    struct service *service = request->service;
    snprintf(job->request_id, sizeof job->request_id, "%s", request->id);
    deadlines_enter(request, AWAITS_WORK);
    queue_store(&service->queue, &request->ticket, job);
    if (request->state != REQUEST_WAITING) {
        request->state = REQUEST_WAITING;
        MHD_suspend_connection(request->handle);
    }
    store_submit(service->store, &job->change);
}

/* Goes on in `state` with libmicrohttpd's next call; a run of its listener must follow. */
static void resume(struct request *request, enum request_state state)
{
    VP_BUG_IF(request->state != REQUEST_WAITING);
    request->state = state;
    MHD_resume_connection(request->handle);
}

static const struct vp_diarize_progress *progress_of(const struct request *request)
{
    const struct job *job = ticket_result(&request->ticket);
    return job != NULL ? &job->conversation.progress : NULL;
}

static void begin_lines(struct request *request)
{
    ndjson_open(&request->stream, request->handle, progress_of(request));
    resume(request, REQUEST_STREAMING);
}

static bool has_left(const struct ticket *ticket)
{
    struct request *request = ticket->request;
    return presence_is_lost(&request->presence, request->connection->fd, &request->stream);
}

static void on_expired(struct ticket *ticket, enum problem_kind kind, bool had_begun)
{
    struct request *request = ticket->request;
    VP_CHECK_MAGIC(request, REQUEST_MAGIC);
    if (kind == PROBLEM_OVERLOADED) /* as long work, which its body turned out to be */
        problem_set_overloaded(&request->problem);
    else if (kind == PROBLEM_SHARE_USED_UP)
        problem_set_share(&request->problem, "a place in the queue");
    else
        problem_set(&request->problem, kind, "%s",
                    kind == PROBLEM_DRAINING ? "the service stopped before this request was done"
                    : had_begun ? "not done within the time a request may take; try again"
                                : "waited too long for a worker; try again");
    if (ndjson_has_begun(&request->stream))
        answer_last_problem(request);
    else
        resume(request, REQUEST_DONE);
}

static void on_gone(struct ticket *ticket)
{
    struct request *request = ticket->request;
    VP_CHECK_MAGIC(request, REQUEST_MAGIC);
    request->service->metrics.clients_gone++;
    request->status = 499;
    if (ndjson_has_begun(&request->stream))
        ndjson_cut(&request->stream);
    else
        resume(request, REQUEST_GONE);
}

/* What is with a worker is the worker's to read: then there is no news. */
static void on_tick(struct ticket *ticket, uint64_t now_ns)
{
    struct request *request = ticket->request;
    if (ndjson_has_begun(&request->stream))
        ndjson_progress(&request->stream, progress_of(request), now_ns);
}

static void on_turn(struct ticket *ticket)
{
    struct request *request = ticket->request;
    VP_CHECK_MAGIC(request, REQUEST_MAGIC);
    if (request->stream.state == NDJSON_WANTED) /* now that the recording is known to be one */
        begin_lines(request);
    else
        on_tick(ticket, clock_now_ns());
}

static void set_problem(struct request *request, const struct job *job)
{
    if (job->problem.kind != PROBLEM_NONE) {
        request->problem = job->problem;
        return;
    }
    problem_from_engine(&request->problem, &job->err);
    if (job->kind == JOB_COMPARE)
        request->problem.side = job->at_side == 0 ? 'a' : 'b';
    if (job->kind == JOB_COMPARE || job->kind == JOB_PROBE || job->kind == JOB_ENROL) {
        request->problem.has_clip = true;
        request->problem.clip = job->at_clip;
    }
    if (job->conversation.words.is_refused)
        snprintf(request->problem.field, sizeof request->problem.field, "transcript");
}

/* The worker has written it. */
static void end_lines(struct request *request)
{
    struct written *written = &request->ticket.job->written;
    char *text = written->text;
    written->text = NULL;
    answer_last_line(request, text, written->n_bytes);
}

static void on_done(struct ticket *ticket)
{
    struct request *request = ticket->request;
    VP_CHECK_MAGIC(request, REQUEST_MAGIC);
    struct job *job = ticket->job;
    account_job(request);
    if (job->status == VP_OK && job->kind == JOB_ENROL) {
        request_store(request, job);
        return;
    }
    if (job->status != VP_OK)
        set_problem(request, job);
    else if (request->stream.state == NDJSON_WANTED)
        begin_lines(request);
    if (!ndjson_has_begun(&request->stream))
        resume(request, REQUEST_DONE);
    else if (job->status == VP_OK)
        end_lines(request);
    else
        answer_last_problem(request);
}

static void on_stored(struct ticket *ticket)
{
    struct request *request = ticket->request;
    VP_CHECK_MAGIC(request, REQUEST_MAGIC);
    request->problem = ticket->job->change.problem;
    resume(request, REQUEST_DONE);
}

const struct queue_calls request_queue_calls = {
    .has_left = has_left,
    .on_expired = on_expired,
    .on_gone = on_gone,
    .on_tick = on_tick,
    .on_turn = on_turn,
    .on_done = on_done,
    .on_stored = on_stored,
};

/* ---- DONE, STREAMING ------------------------------------------------------------------------ */

static enum MHD_Result on_result(struct request *request)
{
    if (request->problem.kind != PROBLEM_NONE)
        return answer_problem(request);
    request->route->on_done(request);
    return request->state == REQUEST_REPLYING ? MHD_YES : MHD_NO;
}

static enum MHD_Result on_first_line(struct request *request)
{
    enum MHD_Result result = answer_lines(request);
    if (request->stream.state == NDJSON_OPEN) /* it lasts as long as the work takes */
        deadlines_enter(request, AWAITS_WORK);
    return result;
}

/* ---- libmicrohttpd's callbacks -------------------------------------------------------------- */

/* An MHD_AccessHandlerCallback. */
static enum MHD_Result on_call(void *context, struct MHD_Connection *handle, const char *url,
                               const char *method, const char *version, const char *upload,
                               size_t *n_upload, void **slot)
{
    ON_LOOP();
    (void)context;
    (void)handle;
    struct request *request = *slot;
    if (request == NULL)
        return MHD_NO; /* memory was short when the request line came */
    VP_CHECK_MAGIC(request, REQUEST_MAGIC);
    switch (request->state) {
    case REQUEST_HEAD:
        return on_head(request, &(struct request_line){method, url, version, request->n_target});
    case REQUEST_READING:
        return on_body(request, upload, n_upload);
    case REQUEST_DONE:
        return on_result(request);
    case REQUEST_STREAMING:
        return on_first_line(request);
    case REQUEST_GONE:
    case REQUEST_FAILED:
        return MHD_NO;
    case REQUEST_WAITING: /* libmicrohttpd asks again before the suspension shows */
    case REQUEST_REPLYING:
        return MHD_YES;
    }
    return MHD_NO;
}

static void on_completed(void *context, struct MHD_Connection *handle, void **slot,
                         enum MHD_RequestTerminationCode code)
{
    ON_LOOP();
    (void)context;
    (void)handle;
    struct request *request = *slot;
    if (request == NULL)
        return;
    *slot = NULL;
    end(request, code == MHD_REQUEST_TERMINATED_WITH_ERROR ? MHD_HTTP_BAD_REQUEST : 499);
}

const struct listener_calls request_listener_calls = {
    .on_target = on_target,
    .on_call = on_call,
    .on_completed = on_completed,
};
