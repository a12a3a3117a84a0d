/* Lines of JSON, by libmicrohttpd's reader callback. */
#include "http/ndjson.h"

#include "util/clock.h"
#include "util/thread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char ndjson_media_type[] = "application/x-ndjson";
/* A line when there is news, and the last one again when there is none for long. */
static const double news_s = 1.0;
static const double silent_s = 4.0;

bool ndjson_accepted(const char *accept)
{
    const size_t n_type = sizeof ndjson_media_type - 1;
    for (const char *at = accept; at != NULL;
         at = strchr(at, ',') != NULL ? strchr(at, ',') + 1 : NULL) {
        at += strspn(at, " \t");
        const char *rest = at + n_type;
        if (strncasecmp(at, ndjson_media_type, n_type) != 0 || strchr(";, \t", *rest) == NULL)
            continue;
        const char *weight = strcasestr(rest, "q=");
        const char *end = strchrnul(rest, ',');
        if (weight == NULL || weight > end || strtod(weight + 2, NULL) > 0)
            return true;
    }
    return false;
}

bool ndjson_has_begun(const struct ndjson *stream)
{
    return stream->state >= NDJSON_OPEN;
}

/* Hands out what there is: the rest of a line of progress, then the rest of the last one. */
ssize_t ndjson_read(void *context, uint64_t position, char *into, size_t room)
{
    ON_LOOP();
    (void)position;
    struct ndjson *stream = context;
    const bool is_over = stream->state == NDJSON_OVER;
    if (stream->state == NDJSON_CUT || (is_over && stream->last == NULL))
        return MHD_CONTENT_READER_END_WITH_ERROR;
    const bool in_progress = stream->n_sent < stream->n_line;
    if (!in_progress && !is_over) {
        stream->is_suspended = true;
        MHD_suspend_connection(stream->handle);
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

static void wake(struct ndjson *stream)
{
    if (!stream->is_suspended)
        return;
    stream->is_suspended = false;
    MHD_resume_connection(stream->handle);
}

static void make_line(struct ndjson *stream, const struct vp_diarize_progress *progress,
                      uint64_t now_ns)
{
    stream->n_line = (size_t)snprintf(stream->line, sizeof stream->line,
                                      "{\"progress\":%.3f,\"stage\":\"%.40s\"}\n",
                                      progress->fraction, progress->stage);
    stream->n_sent = 0;
    stream->line_ns = now_ns;
}

void ndjson_open(struct ndjson *stream, struct MHD_Connection *handle,
                 const struct vp_diarize_progress *progress)
{
    ON_LOOP();
    stream->state = NDJSON_OPEN;
    stream->handle = handle;
    make_line(stream, progress, clock_now_ns());
}

void ndjson_progress(struct ndjson *stream, const struct vp_diarize_progress *news, uint64_t now_ns)
{
    ON_LOOP();
    const double due_s = news != NULL ? news_s : silent_s;
    if (stream->n_sent < stream->n_line || now_ns - stream->line_ns < clock_from_seconds(due_s))
        return;
    if (news != NULL)
        make_line(stream, news, now_ns);
    stream->n_sent = 0;
    stream->line_ns = now_ns;
    wake(stream);
}

void ndjson_repeat(struct ndjson *stream)
{
    ON_LOOP();
    if (stream->state != NDJSON_OPEN || stream->n_sent < stream->n_line)
        return;
    stream->n_sent = 0;
    wake(stream);
}

void ndjson_end(struct ndjson *stream, char *text, size_t n_bytes)
{
    ON_LOOP();
    char *line = text != NULL ? realloc(text, n_bytes + 1) : NULL;
    if (line != NULL)
        line[n_bytes] = '\n'; /* in place of the NUL */
    else
        free(text);
    stream->last = line;
    stream->n_last = n_bytes + 1;
    stream->state = NDJSON_OVER;
    wake(stream);
}

void ndjson_cut(struct ndjson *stream)
{
    ON_LOOP();
    stream->state = NDJSON_CUT;
    wake(stream);
}

void ndjson_close(struct ndjson *stream)
{
    free(stream->last);
    stream->last = NULL;
}
