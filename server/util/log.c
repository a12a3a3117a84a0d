/* Structured lines on stderr. Used by the loop thread only, so its state needs no lock. */
#include "util/log.h"

#include "util/clock.h"
#include "util/thread.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MAX_LIMITED = 8 };

static struct {
    enum log_format format;
    enum log_level level;
    uint64_t n_dropped; /* lines the reader was too slow for */
    struct limiter {
        const char *event;    /* a static string; NULL: not used yet */
        uint64_t last_ns;     /* when one was let through */
        uint64_t n_held_back; /* since then */
    } limiters[MAX_LIMITED];
} logger = {.format = LOG_JSON, .level = LOG_INFO};

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void log_init(enum log_format format, enum log_level level)
{
    logger.format = format;
    logger.level = level;
}

static void put_raw(struct log_line *line, const char *text)
{
    size_t n = strlen(text);
    /* Room for the closing brace and newline is always kept. */
    if (n > sizeof line->text - 4 - line->length)
        n = sizeof line->text - 4 - line->length;
    memcpy(line->text + line->length, text, n);
    line->length += n;
}

/* Text from outside: control bytes, quotes and everything beyond ASCII are escaped. */
static void put_escaped(struct log_line *line, const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c != 0; c++) {
        char piece[8];
        if (*c == '"' || *c == '\\')
            snprintf(piece, sizeof piece, "\\%c", *c);
        else if (*c < 0x20 || *c >= 0x7f)
            snprintf(piece, sizeof piece, "\\u%04x", *c);
        else
            snprintf(piece, sizeof piece, "%c", *c);
        if (strlen(piece) > sizeof line->text - 8 - line->length)
            return;
        put_raw(line, piece);
    }
}

static void put_key(struct log_line *line, const char *key)
{
    if (logger.format == LOG_JSON) {
        put_raw(line, line->length > 1 ? ",\"" : "\"");
        put_raw(line, key);
        put_raw(line, "\":");
    } else {
        put_raw(line, line->length > 0 ? " " : "");
        put_raw(line, key);
        put_raw(line, "=");
    }
}

void log_string(struct log_line *line, const char *key, const char *value)
{
    if (!line->wanted || value == NULL)
        return;
    bool quoted = logger.format == LOG_JSON || strpbrk(value, " \"\\=") != NULL;
    if (sizeof line->text - line->length < strlen(key) + 16)
        return;
    put_key(line, key);
    put_raw(line, quoted ? "\"" : "");
    put_escaped(line, value);
    put_raw(line, quoted ? "\"" : "");
}

void log_number(struct log_line *line, const char *key, double value)
{
    if (!line->wanted || !isfinite(value) || sizeof line->text - line->length < strlen(key) + 48)
        return;
    char text[32];
    snprintf(text, sizeof text, "%.3f", value);
    put_key(line, key);
    put_raw(line, text);
}

void log_count(struct log_line *line, const char *key, uint64_t value)
{
    if (!line->wanted || sizeof line->text - line->length < strlen(key) + 48)
        return;
    char text[32];
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    put_key(line, key);
    put_raw(line, text);
}

void log_begin(struct log_line *line, enum log_level level, const char *event)
{
    ON_LOOP();
    line->wanted = level >= logger.level;
    line->length = 0;
    if (!line->wanted)
        return;
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    char stamp[40];
    size_t n = strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(stamp + n, sizeof stamp - n, ".%03ldZ", now.tv_nsec / 1000000);
    put_raw(line, logger.format == LOG_JSON ? "{" : "");
    log_string(line, "ts", stamp);
    log_string(line, "level", level_names[level]);
    log_string(line, "msg", event);
    if (logger.n_dropped > 0)
        log_count(line, "lines_dropped", logger.n_dropped);
}

void log_end(struct log_line *line)
{
    if (!line->wanted)
        return;
    put_raw(line, logger.format == LOG_JSON ? "}" : "");
    line->text[line->length++] = '\n';
    struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (poll(&ready, 1, 0) <= 0 || (ready.revents & POLLOUT) == 0 ||
        write(STDERR_FILENO, line->text, line->length) != (ssize_t)line->length)
        logger.n_dropped++;
    else
        logger.n_dropped = 0;
}

void log_event(enum log_level level, const char *event, const char *detail)
{
    struct log_line line;
    log_begin(&line, level, event);
    log_string(&line, "detail", detail);
    log_end(&line);
}

/* The limiter of an event, made when it is seen first; the last one serves all beyond the table. */
static struct limiter *limiter_of(const char *event)
{
    size_t i = 0;
    while (i + 1 < MAX_LIMITED && logger.limiters[i].event != NULL &&
           strcmp(logger.limiters[i].event, event) != 0)
        i++;
    logger.limiters[i].event = event;
    return &logger.limiters[i];
}

void log_event_limited(enum log_level level, const char *event, const char *detail)
{
    const uint64_t now_ns = clock_now_ns();
    struct limiter *limiter = limiter_of(event);
    if (limiter->last_ns != 0 && now_ns - limiter->last_ns < clock_from_seconds(1)) {
        limiter->n_held_back++;
        return;
    }
    struct log_line line;
    log_begin(&line, level, event);
    log_string(&line, "detail", detail);
    if (limiter->n_held_back > 0)
        log_count(&line, "others_held_back", limiter->n_held_back);
    log_end(&line);
    limiter->n_held_back = 0;
    limiter->last_ns = now_ns;
}
