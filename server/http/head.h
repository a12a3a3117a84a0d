/*
 * The head of a request as it came: framing that another HTTP reader could understand otherwise
 * is refused here, before anything else is looked at, so that no second request is smuggled.
 * libmicrohttpd itself accepts much of it.
 */
#ifndef VP_HEAD_H
#define VP_HEAD_H

#include "http/problem.h"

#include <stdint.h>

struct MHD_Connection;

enum { REQUEST_ID_ROOM = 129, TRACE_ID_ROOM = 33 };

struct head {
    uint64_t declared_bytes; /* Content-Length, or BODY_LENGTH_UNKNOWN when chunked, else 0 */
    bool expects_continue;
    const char *content_type; /* borrowed from the connection; NULL when none */
    const char *authorization, *host, *origin, *expect, *accept;
};

/* The request line as libmicrohttpd hands it out: pieces of one buffer, borrowed. */
struct request_line {
    const char *method, *url, *version;
    size_t n_target; /* bytes of the raw target, as it was first seen */
};

/*
 * Walks all headers of connection; wire_fault is wire_judge's of the same request. False: problem
 * is set, ambiguous-framing. Names are tokens; each line is `name: value` CRLF (no folding, no bare
 * LF, no NUL); at most one Content-Length, all digits; Transfer-Encoding only `chunked`, once, not
 * with a length, not in HTTP/1.0; at most one Host. [loop]
 */
bool head_read(struct MHD_Connection *connection, const struct request_line *line,
               const char *wire_fault, struct head *head, struct problem *problem) VP_MUST_CHECK;

/* The client's X-Request-Id when it matches [A-Za-z0-9._-]{1,128}, else 128 random bits. [loop] */
void head_request_id(struct MHD_Connection *connection, char id[REQUEST_ID_ROOM]);
/* The trace id of a valid traceparent, else "". [loop] */
void head_trace_id(struct MHD_Connection *connection, char id[TRACE_ID_ROOM]);
/* For tests: is value a valid W3C traceparent? Fills id. [any] */
bool head_parse_traceparent(const char *value, char id[TRACE_ID_ROOM]);

/* One header line as libmicrohttpd left it in its buffer: name NUL, blanks, value NUL NUL. */
bool head_line_is_plain(const char *name, const char *value, size_t n_value); /* [any] */

#endif
