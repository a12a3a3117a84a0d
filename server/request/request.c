/* The life of a request. What its headers decide is admission.c's part, how it waits queue.c's. */
#include "request/request.h"

#include "http/connection.h"
#include "http/cors.h"
#include "http/reply.h"
#include "request/admission.h"
#include "request/queue.h"
#include "server.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/thread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { REQUEST_MAGIC = 0x72657175 };

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

void *request_on_target(void *context, const char *target, struct MHD_Connection *handle)
{
    ON_LOOP();
    struct listener *listener = context;
    struct server *server = listener->server;
    struct request *request = calloc(1, sizeof *request);
    if (request == NULL || (request->target = strdup(target)) == NULL) {
        free(request);
        return NULL; /* request_on_call closes the connection */
    }
    request->magic = REQUEST_MAGIC;
    request->server = server;
    request->listener = listener;
    request->handle = handle;
    request->connection = connection_of(handle);
    request->n_target = strlen(target);
    request->started_ns = clock_now_ns();
    request->deadline_ns =
        request->started_ns + clock_from_seconds(server->config->request_timeout_s);
    split_target(request);
    request->route = routes_find(request->path);
    snprintf(request->id, sizeof request->id, "-");
    server->n_open_requests++;
    if (request->connection != NULL) {
        request->connection->request = request;
        bool first = request->connection->phase == CONNECTION_NEW;
        uint64_t deadline_ns = request->connection->deadline_ns;
        connection_enter(request->connection, CONNECTION_REQUEST, server->config->header_timeout_s);
        if (first) /* the time since the connection came counts */
            request->connection->deadline_ns = deadline_ns;
    }
    return request;
}

/* The request is here in full: an answer, or a job. */
static enum MHD_Result answer_whole(struct request *request)
{
    if (request->is_preflight)
        return reply_empty(request, MHD_HTTP_NO_CONTENT);
    if (request->problem.kind == PROBLEM_NONE && request->route->is_post)
        admission_judge_body(request);
    if (request->problem.kind != PROBLEM_NONE)
        return reply_problem(request);
    request->route->on_body(request);
    if (request->problem.kind != PROBLEM_NONE && request->state <= REQUEST_READING)
        return reply_problem(request);
    bool moved_on = request->state == REQUEST_REPLYING || request->state == REQUEST_QUEUED ||
                    request->state == REQUEST_EXPIRED || request->state == REQUEST_GONE;
    return moved_on ? MHD_YES : MHD_NO;
}

/* A request without a body is answered in the next call: libmicrohttpd closes a connection that
 * is answered in the first one. With a body the answer is given before it comes. */
static enum MHD_Result on_head(struct request *request, const char *url, const char *method,
                               const char *version)
{
    snprintf(request->method, sizeof request->method, "%s", method);
    head_request_id(request->handle, request->id);
    head_trace_id(request->handle, request->trace_id);
    if (request->connection != NULL)
        request->connection->deadline_ns = request->deadline_ns;
    if (head_read(request->handle, method, url, version, request->n_target, &request->head,
                  &request->problem)) {
        request->is_preflight = cors_is_preflight(request->server->config->cors_origins, request);
        if (!request->is_preflight)
            admission_judge(request);
        if (request->problem.kind == PROBLEM_NONE && !request->is_preflight &&
            request->route->is_post)
            admission_open_body(request);
    }
    bool has_body = request->head.declared_bytes != 0;
    if (request->problem.kind != PROBLEM_NONE &&
        (has_body || problem_rule(request->problem.kind)->close))
        return reply_problem(request);
    if (has_body && (!request->route->is_post || request->is_preflight))
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

/* ---- DONE ----------------------------------------------------------------------------------- */

static void count_job(struct request *request)
{
    const struct job *job = request->job;
    struct metrics *metrics = &request->server->metrics;
    metrics_add_stage(metrics, STAGE_QUEUE, 1e-3 * clock_ms_since(job->queued_ns, job->started_ns));
    if (job->kind == JOB_DIARIZE) {
        request->audio_s = job->conversation.progress.heard_s;
        metrics->diarized_s += request->audio_s;
        return;
    }
    for (size_t i = 0; i < job->n_sides; i++) {
        for (size_t j = 0; j < job->sides[i].n_clips; j++) {
            const struct clip *clip = &job->sides[i].clips[j];
            if (clip->norm <= 0) /* not reached */
                continue;
            metrics_add_stage(metrics, STAGE_DECODE, 1e-3 * clip->decode_ms);
            metrics_add_stage(metrics, STAGE_FEATURES, 1e-3 * clip->fbank_ms);
            metrics_add_stage(metrics, STAGE_INFERENCE, 1e-3 * clip->forward_ms);
            request->audio_s += clip->info.used_s;
            for (unsigned k = 0; k < VP_N_WARNINGS; k++)
                metrics->warnings[k] += clip->info.warnings >> k & 1;
        }
    }
    metrics->audio_s += request->audio_s;
}

static void set_problem(struct request *request, const struct job *job)
{
    problem_from_engine(&request->problem, &job->err);
    if (job->kind == JOB_COMPARE) {
        request->problem.side = job->failed_side == 0 ? 'a' : 'b';
        request->problem.clip = job->failed_clip;
    }
}

void request_finish(struct request *request)
{
    ON_LOOP();
    VP_CHECK_MAGIC(request, REQUEST_MAGIC);
    struct job *job = request->job;
    bool in_lines = request->stream.is_open || (request->stream.is_wanted && job->status == VP_OK);
    if (in_lines)
        queue_leave(request);
    else
        queue_resume(request, REQUEST_DONE);
    request->job = job; /* it is back: ours again */
    count_job(request);
    if (job->status != VP_OK)
        set_problem(request, job);
    if (!in_lines)
        return;
    if (!request->stream.is_open)
        ndjson_open(request);
    ndjson_end(request, job->status == VP_OK ? request->route->last_line(request)
                                             : json_problem(&request->problem, request->id,
                                                            request->server->queue.n));
}

void request_go_on(struct request *request)
{
    ON_LOOP();
    VP_CHECK_MAGIC(request, REQUEST_MAGIC);
    queue_again(request);
    if (request->stream.is_open)
        ndjson_progress(request, clock_now_ns());
    else if (request->stream.is_wanted) /* now that the recording is known to be one */
        ndjson_open(request);
}

static enum MHD_Result on_result(struct request *request)
{
    if (request->problem.kind != PROBLEM_NONE)
        return reply_problem(request);
    request->route->on_done(request);
    return request->state == REQUEST_REPLYING ? MHD_YES : MHD_NO;
}

/* ---- the callbacks -------------------------------------------------------------------------- */

enum MHD_Result request_on_call(void *context, struct MHD_Connection *handle, const char *url,
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
        return on_head(request, url, method, version);
    case REQUEST_READING:
        return *n_upload > 0 ? on_upload(request, upload, n_upload) : answer_whole(request);
    case REQUEST_DONE:
    case REQUEST_EXPIRED:
        return on_result(request);
    case REQUEST_STREAMING:
        return ndjson_begin(request);
    case REQUEST_GONE:
    case REQUEST_FAILED:
        return MHD_NO;
    case REQUEST_QUEUED: /* libmicrohttpd asks again before the suspension shows */
    case REQUEST_REPLYING:
        return MHD_YES;
    }
    return MHD_NO;
}

static void write_access_line(const struct request *request, double total_ms)
{
    struct log_line line;
    const struct job *job = request->job;
    const struct problem_rule *rule = problem_rule(request->problem.kind);
    log_begin(&line, LOG_INFO, "request");
    log_string(&line, "request_id", request->id);
    log_string(&line, "trace_id", *request->trace_id != 0 ? request->trace_id : NULL);
    log_string(&line, "method", *request->method != 0 ? request->method : NULL);
    /* A path nobody serves may carry anything: only known ones are written. */
    log_string(&line, "path", request->route->path != NULL ? request->route->path : "other");
    log_count(&line, "status", request->status);
    log_string(&line, "problem", *rule->name != 0 ? rule->name : NULL);
    log_count(&line, "bytes_in", request->body.counted_bytes);
    log_number(&line, "audio_s", request->audio_s);
    if (job != NULL && job->ended_ns != 0 && job->kind == JOB_DIARIZE) {
        log_number(&line, "queue_ms", clock_ms_since(job->queued_ns, job->started_ns));
        log_number(&line, "work_ms", job->conversation.work_ms);
        log_count(&line, "slices", job->conversation.n_slices);
    } else if (job != NULL && job->ended_ns != 0) {
        double decode_ms = 0, fbank_ms = 0, infer_ms = 0;
        for (size_t i = 0; i < job->n_sides; i++) {
            for (size_t j = 0; j < job->sides[i].n_clips; j++) {
                decode_ms += job->sides[i].clips[j].decode_ms;
                fbank_ms += job->sides[i].clips[j].fbank_ms;
                infer_ms += job->sides[i].clips[j].forward_ms;
            }
        }
        log_number(&line, "queue_ms", clock_ms_since(job->queued_ns, job->started_ns));
        log_number(&line, "decode_ms", decode_ms);
        log_number(&line, "fbank_ms", fbank_ms);
        log_number(&line, "infer_ms", infer_ms);
    }
    log_number(&line, "total_ms", total_ms);
    log_string(&line, "peer", request->connection != NULL ? request->connection->peer : NULL);
    log_end(&line);
}

/* The status of a request that we did not answer: cut at a deadline, refused by libmicrohttpd on
 * its own (a malformed or oversized head), or left by the client. */
static unsigned status_without_answer(const struct request *request,
                                      enum MHD_RequestTerminationCode code)
{
    if (request->connection != NULL && request->connection->cut)
        return request->connection->peer_left ? 499 : 408;
    return code == MHD_REQUEST_TERMINATED_WITH_ERROR ? MHD_HTTP_BAD_REQUEST : 499;
}

void request_on_completed(void *context, struct MHD_Connection *handle, void **slot,
                          enum MHD_RequestTerminationCode code)
{
    ON_LOOP();
    (void)context;
    (void)handle;
    struct request *request = *slot;
    if (request == NULL)
        return;
    VP_CHECK_MAGIC(request, REQUEST_MAGIC);
    *slot = NULL;
    struct server *server = request->server;
    queue_leave(request);
    if (request->status == 0)
        request->status = status_without_answer(request, code);
    double total_ms = clock_ms_since(request->started_ns, clock_now_ns());
    metrics_count_request(&server->metrics, request->route->label, request->status,
                          total_ms * 1e-3);
    if (request->encode_ms > 0)
        metrics_add_stage(&server->metrics, STAGE_ENCODE, 1e-3 * request->encode_ms);
    write_access_line(request, total_ms);
    if (request->connection != NULL) {
        request->connection->request = NULL;
        connection_enter(request->connection, CONNECTION_IDLE, server->config->idle_timeout_s);
    }
    crash_set_request(NULL);
    body_close(&request->body);
    job_free(request->job);
    free(request->stream.last);
    free(request->target);
    server->n_open_requests--;
    request->magic = 0;
    free(request);
}
