/* Structured lines on stderr. Used by the loop thread only, so its state needs no lock. */
#include "util/log.h"

#include "util/clock.h"
#include "util/thread.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MAX_LIMITED = 8, LINE_ROOM = sizeof((struct log_line *)NULL)->text };

static struct {
    enum log_format format;
    enum log_level level;
    int fd;
    bool is_socket;
    char rest[LINE_ROOM]; /* of a line that went out in part: nothing comes before its end */
    size_t n_rest;
    uint64_t n_dropped; /* lines the reader was too slow for */
    struct limiter {
        const char *event;    /* a static string; NULL: not used yet */
        uint64_t last_ns;     /* when one was let through */
        uint64_t n_held_back; /* since then */
    } limiters[MAX_LIMITED];
} logger = {.format = LOG_JSON, .level = LOG_INFO, .fd = STDERR_FILENO};

static const char *const level_names[] = {"debug", "info", "warn", "error"};

/*
 * A descriptor on stderr that never blocks. O_NONBLOCK belongs to the open file, which we share
 * with whoever started us, a shell for example: so a terminal or a pipe is opened anew. A socket
 * takes the wish with each call, and a file on disk knows no other way.
 */
static void open_output(void)
{
    struct stat status;
    logger.fd = STDERR_FILENO;
    if (fstat(STDERR_FILENO, &status) != 0)
        return;
    logger.is_socket = S_ISSOCK(status.st_mode);
    if (!S_ISCHR(status.st_mode) && !S_ISFIFO(status.st_mode))
        return;
    int fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd >= 0)
        logger.fd = fd;
    else /* a terminal of another user, no /proc: then the mode of the shared one must change */
        (void)fcntl(STDERR_FILENO, F_SETFL, fcntl(STDERR_FILENO, F_GETFL) | O_NONBLOCK);
}

void log_init(enum log_format format, enum log_level level)
{
    logger.format = format;
    logger.level = level;
    open_output();
}

/* How many of n bytes the reader takes right now. */
static size_t put_out(const char *text, size_t n)
{
    ssize_t taken = logger.is_socket ? send(logger.fd, text, n, MSG_DONTWAIT | MSG_NOSIGNAL)
                                     : write(logger.fd, text, n);
    return taken > 0 ? (size_t)taken : 0;
}

/* False: the line is lost, because the one before is not out yet or nothing of this one went. */
static bool put_line(const char *text, size_t n)
{
    if (logger.n_rest > 0) {
        size_t taken = put_out(logger.rest, logger.n_rest);
        logger.n_rest -= taken;
        memmove(logger.rest, logger.rest + taken, logger.n_rest);
        if (logger.n_rest > 0)
            return false;
    }
    size_t taken = put_out(text, n);
    if (taken == 0)
        return false;
    logger.n_rest = n - taken;
    memcpy(logger.rest, text + taken, logger.n_rest);
    return true;
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
    if (put_line(line->text, line->length))
        logger.n_dropped = 0;
    else
        logger.n_dropped++;
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
