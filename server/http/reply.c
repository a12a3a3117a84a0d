/* From a status and a text to an answer with all its headers. */
#include "http/reply.h"

#include "http/cors.h"
#include "server.h"
#include "util/clock.h"
#include "util/fault.h"
#include "util/log.h"
#include "util/thread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINES_BYTES = 16 * 1024 }; /* what is asked of a reader at once */

void reply_add_header(struct MHD_Response **response, const char *name, const char *value)
{
    if (*response == NULL || MHD_add_response_header(*response, name, value) == MHD_YES)
        return;
    MHD_destroy_response(*response);
    *response = NULL;
}

static double sum_ms(const struct job *job, size_t offset)
{
    double sum = 0;
    for (size_t i = 0; i < job->n_sides; i++)
        for (size_t j = 0; j < job->sides[i].n_clips; j++)
            sum += *(const double *)(const void *)((const char *)&job->sides[i].clips[j] + offset);
    return sum;
}

static void put_server_timing(struct MHD_Response **response, const struct request *request)
{
    char text[256];
    double total = clock_ms_since(request->started_ns, clock_now_ns());
    const struct job *job = request->job;
    bool is_back = job != NULL && request->list != &request->server->running && job->ended_ns != 0;
    if (is_back && job->kind == JOB_DIARIZE)
        snprintf(text, sizeof text, "queue;dur=%.3f, work;dur=%.3f, total;dur=%.3f",
                 clock_ms_since(job->queued_ns, job->started_ns), job->conversation.work_ms, total);
    else if (is_back)
        snprintf(text, sizeof text,
                 "queue;dur=%.3f, decode;dur=%.3f, features;dur=%.3f, inference;dur=%.3f, "
                 "total;dur=%.3f",
                 clock_ms_since(job->queued_ns, job->started_ns),
                 sum_ms(job, offsetof(struct clip, decode_ms)),
                 sum_ms(job, offsetof(struct clip, fbank_ms)),
                 sum_ms(job, offsetof(struct clip, forward_ms)), total);
    else
        snprintf(text, sizeof text, "total;dur=%.3f", total);
    reply_add_header(response, "Server-Timing", text);
}

static void put_problem_headers(struct MHD_Response **response, const struct request *request)
{
    const struct problem_rule *rule = problem_rule(request->problem.kind);
    if (rule->retry) {
        char text[16];
        snprintf(text, sizeof text, "%u", server_retry_after_s(request->server));
        reply_add_header(response, "Retry-After", text);
    }
    if (request->problem.kind == PROBLEM_UNAUTHORIZED)
        reply_add_header(response, "WWW-Authenticate", "Bearer");
    if (request->problem.kind == PROBLEM_METHOD_NOT_ALLOWED)
        reply_add_header(response, "Allow", request->route->is_post ? "POST" : "GET, HEAD");
}

/* Must the connection end with this answer? */
static bool must_close(const struct request *request)
{
    const struct server *server = request->server;
    return problem_rule(request->problem.kind)->close || server->drain != DRAIN_NOT;
}

/* No memory for the answer: the connection will close. */
static enum MHD_Result give_up(struct request *request)
{
    log_event_limited(LOG_ERROR, "no-memory", "an answer could not be made; closing");
    request->state = REQUEST_FAILED;
    request->status = MHD_HTTP_INTERNAL_SERVER_ERROR; /* for the log: the client gets nothing */
    return MHD_NO;
}

/* A response of text, malloc'd and taken; NULL without memory. */
static struct MHD_Response *new_response(char *text, size_t n_bytes)
{
    struct MHD_Response *response =
        text == NULL || fault_hits(FAULT_REPLY)
            ? NULL
            : MHD_create_response_from_buffer(n_bytes, text, MHD_RESPMEM_MUST_FREE);
    if (response == NULL)
        free(text);
    return response;
}

/* Takes response; NULL: memory was short. */
static enum MHD_Result queue_response(struct request *request, unsigned status,
                                      struct MHD_Response *response)
{
    const struct server *server = request->server;
    reply_add_header(&response, "X-Request-Id", request->id);
    reply_add_header(&response, "X-Content-Type-Options", "nosniff");
    if (request->problem.kind != PROBLEM_NONE)
        put_problem_headers(&response, request);
    put_server_timing(&response, request);
    cors_put_headers(server->config->cors_origins, request, &response);
    if (must_close(request))
        reply_add_header(&response, "Connection", "close");
    if (response == NULL)
        return give_up(request);
    request->status = status;
    bool unread = request->state == REQUEST_HEAD && request->head.declared_bytes != 0;
    enum MHD_Result result = MHD_queue_response(request->handle, status, response);
    MHD_destroy_response(response);
    request->state = result == MHD_YES ? REQUEST_REPLYING : REQUEST_FAILED;
    if (request->connection != NULL) {
        request->connection->linger = unread;
        connection_enter(request->connection, CONNECTION_ANSWER, server->config->request_timeout_s);
    }
    return result;
}

enum MHD_Result reply_lines(struct request *request, const char *type,
                            MHD_ContentReaderCallback reader)
{
    ON_LOOP();
    struct MHD_Response *response =
        fault_hits(FAULT_REPLY) ? NULL
                                : MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, LINES_BYTES,
                                                                    reader, request, NULL);
    reply_add_header(&response, "Content-Type", type);
    reply_add_header(&response, "Cache-Control", "no-store");
    reply_add_header(&response, "X-Accel-Buffering", "no"); /* nginx would keep the lines back */
    return queue_response(request, MHD_HTTP_OK, response);
}

enum MHD_Result reply_text(struct request *request, unsigned status, const char *type, char *text,
                           size_t n_bytes)
{
    ON_LOOP();
    struct MHD_Response *response = new_response(text, n_bytes);
    if (type != NULL)
        reply_add_header(&response, "Content-Type", type);
    reply_add_header(&response, "Cache-Control", "no-store");
    return queue_response(request, status, response);
}

enum MHD_Result reply_empty(struct request *request, unsigned status)
{
    return reply_text(request, status, NULL, strdup(""), 0);
}

enum MHD_Result reply_asset(struct request *request, const struct asset *asset, bool is_known,
                            const struct reply_header *headers)
{
    ON_LOOP();
    size_t n_bytes = is_known ? 0 : asset->n_bytes;
    char *copy = malloc(n_bytes + 1); /* the API takes no const, and pages are small and rare */
    if (copy != NULL)
        memcpy(copy, asset->bytes, n_bytes);
    struct MHD_Response *response = new_response(copy, n_bytes);
    reply_add_header(&response, "Content-Type", asset->type);
    reply_add_header(&response, "Cache-Control", "no-cache");
    reply_add_header(&response, "ETag", asset->etag);
    for (; headers != NULL && headers->name != NULL; headers++)
        reply_add_header(&response, headers->name, headers->value);
    return queue_response(request, is_known ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK, response);
}

enum MHD_Result reply_json(struct request *request, unsigned status, json_t *root)
{
    size_t n_bytes = 0;
    uint64_t start = clock_now_ns();
    char *text = json_take_text(root, &n_bytes);
    request->encode_ms += clock_ms_since(start, clock_now_ns());
    return reply_text(request, status,
                      request->problem.kind != PROBLEM_NONE ? "application/problem+json"
                                                            : "application/json",
                      text, n_bytes);
}

enum MHD_Result reply_problem(struct request *request)
{
    const struct problem_rule *rule = problem_rule(request->problem.kind);
    struct server *server = request->server;
    VP_BUG_IF(request->problem.kind == PROBLEM_NONE);
    if (rule->retry)
        server->metrics.rejected[request->problem.kind]++;
    if (request->problem.kind == PROBLEM_INFERENCE_FAILED)
        server->metrics.inference_invalid++;
    return reply_json(request, rule->status,
                      json_problem(&request->problem, request->id, server->queue.n));
}
