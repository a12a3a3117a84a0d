/*
 * One line per event on stderr, JSON or text. Never audio, embeddings, scores, file names or
 * keys: a voiceprint is biometric data. A reader that does not keep up, be it a terminal, a pipe or
 * a socket, never blocks the service: lines that find no room are dropped whole, and the next one
 * that fits says how many.
 */
#ifndef VP_LOG_H
#define VP_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_DEBUG = 0, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_JSON = 0, LOG_TEXT };

/* A line being built. Fill with log_begin .. log_end; no member is for the caller. */
struct log_line {
    bool wanted;
    size_t length;
    char text[2048]; /* below PIPE_BUF (4096): into a pipe it goes whole or not at all */
};

/* Opens the way to stderr as well, once. [start] */
void log_init(enum log_format format, enum log_level level);
void log_begin(struct log_line *line, enum log_level level, const char *event); /* [loop] */
void log_string(struct log_line *line, const char *key, const char *value);     /* NULL: left out */
void log_number(struct log_line *line, const char *key, double value);
void log_count(struct log_line *line, const char *key, uint64_t value);
void log_end(struct log_line *line);

/* A whole line with one sentence: event and detail. [loop] */
void log_event(enum log_level level, const char *event, const char *detail);
/* The same for what may repeat fast: at most one a second of each event (a static string), the rest
 * counted. [loop] */
void log_event_limited(enum log_level level, const char *event, const char *detail);

#endif
