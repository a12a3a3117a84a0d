/*
 * One HTTP request from its first line to its last byte, as a state machine that only the loop
 * moves. The state says what libmicrohttpd's next call does; where the job is, is its ticket's.
 *
 *   HEAD -> READING -> WAITING -> DONE | STREAMING | GONE -> REPLYING -> freed
 *
 *   HEAD      the request line came; headers are on the way
 *   READING   headers were accepted; the body is on the way
 *   WAITING   suspended: its ticket is in the queue
 *   DONE      resumed with a result or a problem; the next call makes the answer
 *   STREAMING resumed to begin an answer in lines; the next call begins it
 *   GONE      the client left while it waited; the next call closes the connection
 *   REPLYING  an answer is with libmicrohttpd; one in lines goes on until the ticket is done
 *   FAILED    no answer could be made; every call says so, and the connection is closed
 */
#ifndef VP_REQUEST_H
#define VP_REQUEST_H

#include "http/head.h"
#include "http/hosts.h"
#include "http/ndjson.h"
#include "http/presence.h"
#include "http/problem.h"
#include "http/query.h"
#include "request/routes.h"
#include "request/service.h"

#include <microhttpd.h>

enum { REQUEST_MAGIC = 0x72657175 };

enum request_state {
    REQUEST_HEAD = 0,
    REQUEST_READING,
    REQUEST_WAITING,
    REQUEST_DONE,
    REQUEST_STREAMING,
    REQUEST_GONE,
    REQUEST_REPLYING,
    REQUEST_FAILED
};

struct request {
    unsigned magic;
    enum request_state state;
    struct service *service;       /* borrowed, as the next three */
    struct connection *connection; /* which owns the request, and outlives it */
    struct MHD_Connection *handle;
    const struct route *route; /* never NULL after the head: the route of "other" at least */
    bool came_to_admin;        /* by the listener of probes and metrics */
    const struct hosts *hosts; /* borrowed: the names that listener answers to */

    char *target; /* owned, the raw target; path and query_text point into it */
    size_t n_target;
    const char *path; /* without scheme, authority and /v1 */
    const char *query_text;
    char method[12];
    char id[REQUEST_ID_ROOM];
    char trace_id[TRACE_ID_ROOM];

    struct head head;
    struct query query;
    bool is_preflight;    /* of a browser, from an allowed origin */
    struct holder holder; /* on whose account; nobody before a POST is let in */
    struct body body;
    char voice_id[VOICE_ID_ROOM]; /* of the path; "": it names none */
    unsigned clip_number;         /* likewise, of a voice's clip */
    char etag[ETAG_ROOM];         /* for the answer; "": none */
    size_t max_body_bytes;        /* set by the route's on_head */
    bool needs_worker;            /* likewise: a full queue refuses it before the body comes */
    struct budget
        *uploads;          /* what its body counts against: the clips', unless on_head says other */
    double body_extra_s;   /* set by on_head: longer than others its body may take */
    double work_timeout_s; /* likewise: from the request line to the answer; preset */
    struct ticket ticket;
    struct presence presence; /* of its client, while it waits */
    struct ndjson stream;
    struct problem problem;

    uint64_t started_ns;
    unsigned status; /* answered; 0: none yet */
    double encode_ms;
    double audio_s; /* embedded for this request */
};

#endif
