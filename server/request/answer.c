/* From a request and a body to an answer. */
#include "request/answer.h"

#include "request/deadlines.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/thread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { TIMING_ROOM = 256 };

static void put_timing(const struct request *request, char text[TIMING_ROOM])
{
    double total = clock_ms_since(request->started_ns, clock_now_ns());
    const struct job *job = ticket_result(&request->ticket);
    if (job == NULL) {
        snprintf(text, TIMING_ROOM, "total;dur=%.3f", total);
        return;
    }
    const struct job_times times = job_times(job);
    if (job->kind == JOB_DIARIZE)
        snprintf(text, TIMING_ROOM, "queue;dur=%.3f, work;dur=%.3f, total;dur=%.3f", times.queue_ms,
                 job->conversation.work_ms, total);
    else
        snprintf(text, TIMING_ROOM,
                 "queue;dur=%.3f, decode;dur=%.3f, features;dur=%.3f, inference;dur=%.3f, "
                 "total;dur=%.3f",
                 times.queue_ms, times.decode_ms, times.fbank_ms, times.forward_ms, total);
}

/* timing must live as long as the description. */
static struct reply describe(const struct request *request, char timing[TIMING_ROOM])
{
    const struct service *service = request->service;
    put_timing(request, timing);
    return (struct reply){
        .request_id = request->id,
        .server_timing = timing,
        .methods = routes_methods(request->route),
        .etag = request->etag,
        .problem = request->problem.kind,
        .retry_after_s = service_retry_after_s(service),
        .close = problem_rule(request->problem.kind)->close || service->drain != DRAIN_NOT,
        .origins = service->config->cors_origins,
        .origin = request->head.origin,
        .is_preflight = request->is_preflight,
    };
}

/* No memory for the answer: the connection will close. */
static enum MHD_Result give_up(struct request *request)
{
    log_event_limited(LOG_ERROR, "no-memory", "an answer could not be made; closing");
    request->state = REQUEST_FAILED;
    request->status = MHD_HTTP_INTERNAL_SERVER_ERROR; /* for the log: the client gets nothing */
    return MHD_NO;
}

/* Takes response; NULL: memory was short. */
static enum MHD_Result queue_response(struct request *request, unsigned status,
                                      struct MHD_Response *response)
{
    if (response == NULL)
        return give_up(request);
    request->status = status;
    bool unread = request->state == REQUEST_HEAD && request->head.declared_bytes != 0;
    enum MHD_Result result = MHD_queue_response(request->handle, status, response);
    MHD_destroy_response(response);
    request->state = result == MHD_YES ? REQUEST_REPLYING : REQUEST_FAILED;
    request->connection->linger = unread;
    deadlines_enter(request, AWAITS_READER);
    return result;
}

enum MHD_Result answer_lines(struct request *request)
{
    ON_LOOP();
    char timing[TIMING_ROOM];
    struct reply reply = describe(request, timing);
    return queue_response(request, MHD_HTTP_OK,
                          reply_lines(&reply, ndjson_media_type, ndjson_read, &request->stream));
}

enum MHD_Result answer_text(struct request *request, unsigned status, const char *type, char *text,
                            size_t n_bytes)
{
    ON_LOOP();
    char timing[TIMING_ROOM];
    struct reply reply = describe(request, timing);
    return queue_response(request, status, reply_text(&reply, type, text, n_bytes));
}

enum MHD_Result answer_empty(struct request *request, unsigned status)
{
    return answer_text(request, status, NULL, strdup(""), 0);
}

enum MHD_Result answer_asset(struct request *request, const struct asset *asset,
                             const struct asset_form *form, bool is_known,
                             const struct reply_header *headers)
{
    ON_LOOP();
    char timing[TIMING_ROOM];
    struct reply reply = describe(request, timing);
    return queue_response(request, is_known ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK,
                          reply_asset(&reply, asset, form, is_known, headers));
}

enum MHD_Result answer_json(struct request *request, unsigned status, struct json_build root)
{
    ON_LOOP();
    size_t n_bytes = 0;
    const uint64_t start_ns = clock_now_ns();
    char *text = json_take_answer(root, &n_bytes, &request->problem);
    request->encode_ms += clock_ms_since(start_ns, clock_now_ns());
    return text != NULL ? answer_text(request, status, "application/json", text, n_bytes)
                        : answer_problem(request);
}

static struct json_build problem_of(const struct request *request)
{
    return json_problem(&request->problem, request->id, queue_depth(&request->service->queue));
}

enum MHD_Result answer_problem(struct request *request)
{
    ON_LOOP();
    const struct problem_rule *rule = problem_rule(request->problem.kind);
    struct metrics *metrics = &request->service->metrics;
    VP_BUG_IF(request->problem.kind == PROBLEM_NONE);
    if (rule->retry)
        metrics->rejected[request->problem.kind]++;
    if (request->problem.kind == PROBLEM_INFERENCE_FAILED)
        metrics->inference_invalid++;
    size_t n_bytes = 0;
    char *text = json_take_text(problem_of(request), &n_bytes);
    return answer_text(request, rule->status, "application/problem+json", text, n_bytes);
}

static enum MHD_Result print_header(void *out, enum MHD_ValueKind kind, const char *name,
                                    const char *value)
{
    (void)kind;
    return fprintf(out, "%s: %s\r\n", name, value) > 0 ? MHD_YES : MHD_NO;
}

/* A head as libmicrohttpd would write it, malloc'd; NULL: memory was short. */
static char *head_text(struct MHD_Response *response, const struct problem_rule *rule,
                       size_t n_body, size_t *n_head)
{
    char *head = NULL;
    FILE *out = open_memstream(&head, n_head);
    if (out == NULL)
        return NULL;
    fprintf(out, "HTTP/1.1 %u %s\r\nContent-Length: %zu\r\n", rule->status, rule->title, n_body);
    MHD_get_response_headers(response, print_header, out);
    fputs("\r\n", out);
    const bool good = !ferror(out);
    if (fclose(out) == 0 && good)
        return head;
    free(head);
    return NULL;
}

void answer_on_socket(struct request *request)
{
    ON_LOOP();
    char timing[TIMING_ROOM];
    struct reply reply = describe(request, timing);
    size_t n_body = 0, n_head = 0;
    char *body = json_take_text(problem_of(request), &n_body);
    reply.close = true;
    struct MHD_Response *response = reply_text(&reply, "application/problem+json", body, n_body);
    if (response == NULL)
        return;
    const int fd = request->connection->fd;
    char *head = head_text(response, problem_rule(request->problem.kind), n_body, &n_head);
    if (head != NULL &&
        send(fd, head, n_head, MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE) == (ssize_t)n_head)
        (void)!send(fd, body, n_body, MSG_DONTWAIT | MSG_NOSIGNAL);
    free(head);
    MHD_destroy_response(response); /* and the body with it */
}

void answer_last_line(struct request *request, char *text, size_t n_bytes)
{
    ON_LOOP();
    ndjson_end(&request->stream, text, n_bytes);
    deadlines_enter(request, AWAITS_READER);
}

void answer_last_problem(struct request *request)
{
    size_t n_bytes = 0;
    char *text = json_take_text(problem_of(request), &n_bytes);
    answer_last_line(request, text, n_bytes);
}
