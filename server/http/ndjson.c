/* Lines of JSON, by libmicrohttpd's reader callback. */
#include "http/ndjson.h"

#include "http/json.h"
#include "http/reply.h"
#include "server.h"
#include "util/clock.h"
#include "util/thread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char media_type[] = "application/x-ndjson";
/* A line when there is news, and the last one again when there is none for long. */
static const double news_s = 1.0;
static const double silent_s = 4.0;

bool ndjson_accepted(const char *accept)
{
    const size_t n_type = sizeof media_type - 1;
    for (const char *at = accept; at != NULL;
         at = strchr(at, ',') != NULL ? strchr(at, ',') + 1 : NULL) {
        at += strspn(at, " \t");
        const char *rest = at + n_type;
        if (strncasecmp(at, media_type, n_type) != 0 || strchr(";, \t", *rest) == NULL)
            continue;
        const char *weight = strcasestr(rest, "q=");
        const char *end = strchrnul(rest, ',');
        if (weight == NULL || weight > end || strtod(weight + 2, NULL) > 0)
            return true;
    }
    return false;
}

/* Hands out what there is: the rest of a line of progress, then the rest of the last one. */
static ssize_t on_read(void *context, uint64_t position, char *into, size_t room)
{
    ON_LOOP();
    (void)position;
    struct request *request = context;
    struct ndjson *stream = &request->stream;
    if (stream->is_cut || (stream->is_over && stream->last == NULL))
        return MHD_CONTENT_READER_END_WITH_ERROR;
    const bool in_progress = stream->n_sent < stream->n_line;
    if (!in_progress && !stream->is_over) {
        stream->is_suspended = true;
        MHD_suspend_connection(request->handle);
        return 0;
    }
    const char *from = in_progress ? stream->line : stream->last;
    size_t *n_sent = in_progress ? &stream->n_sent : &stream->n_last_sent;
    size_t n = (in_progress ? stream->n_line : stream->n_last) - *n_sent;
    if (n == 0)
        return MHD_CONTENT_READER_END_OF_STREAM;
    n = n < room ? n : room;
    memcpy(into, from + *n_sent, n);
    *n_sent += n;
    return (ssize_t)n;
}

static void wake(struct request *request)
{
    if (!request->stream.is_suspended)
        return;
    request->stream.is_suspended = false;
    MHD_resume_connection(request->handle);
}

static void make_line(struct request *request)
{
    struct ndjson *stream = &request->stream;
    const struct vp_diarize_progress *progress = &request->job->conversation.progress;
    stream->n_line = (size_t)snprintf(stream->line, sizeof stream->line,
                                      "{\"progress\":%.3f,\"stage\":\"%.40s\"}\n",
                                      progress->fraction, progress->stage);
    stream->n_sent = 0;
    stream->line_ns = clock_now_ns();
}

void ndjson_open(struct request *request)
{
    ON_LOOP();
    request->stream.is_open = true;
    make_line(request);
    request->state = REQUEST_STREAMING;
    MHD_resume_connection(request->handle);
}

enum MHD_Result ndjson_begin(struct request *request)
{
    ON_LOOP();
    enum MHD_Result result = reply_lines(request, media_type, on_read);
    if (request->connection != NULL && !request->stream.is_over) /* as long as the work takes */
        connection_enter(request->connection, CONNECTION_ANSWER, 0);
    return result;
}

void ndjson_progress(struct request *request, uint64_t now_ns)
{
    ON_LOOP();
    struct ndjson *stream = &request->stream;
    /* What is with a worker is the worker's to read: the line before is said again. */
    const bool has_news = request->list != &request->server->running;
    const double due_s = has_news ? news_s : silent_s;
    if (stream->n_sent < stream->n_line || now_ns - stream->line_ns < clock_from_seconds(due_s))
        return;
    if (has_news)
        make_line(request);
    stream->n_sent = 0;
    stream->line_ns = now_ns;
    wake(request);
}

void ndjson_end(struct request *request, json_t *root)
{
    ON_LOOP();
    struct ndjson *stream = &request->stream;
    size_t n_bytes = 0;
    char *text = json_take_text(root, &n_bytes);
    char *line = text != NULL ? realloc(text, n_bytes + 1) : NULL;
    if (line != NULL)
        line[n_bytes] = '\n'; /* in place of the NUL */
    else
        free(text);
    stream->last = line;
    stream->n_last = n_bytes + 1;
    stream->is_over = true;
    if (request->connection != NULL)
        connection_enter(request->connection, CONNECTION_ANSWER,
                         request->server->config->request_timeout_s);
    wake(request);
}

void ndjson_cut(struct request *request)
{
    ON_LOOP();
    request->stream.is_cut = true;
    wake(request);
}
