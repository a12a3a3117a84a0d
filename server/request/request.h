/*
 * One HTTP request from its first line to its last byte, as a state machine that only the loop
 * moves:
 *
 *   HEAD -> READING -> QUEUED -> DONE | EXPIRED | GONE | STREAMING -> REPLYING -> freed
 *
 *   HEAD      the request line came; headers are on the way
 *   READING   headers were accepted; the body is on the way
 *   QUEUED    suspended: its job waits for a worker or is with one
 *   DONE      the job came back; resumed, the answer is made in the next call
 *   EXPIRED   a deadline passed while it was queued; the job's late result will be dropped
 *   GONE      the client left while it was queued; the connection is closed without an answer
 *   STREAMING an answer of lines may begin; resumed, the next call begins it
 *   REPLYING  an answer is queued with libmicrohttpd; one of lines goes on until the job is done
 *   FAILED    no answer could be made; every call says so, and the connection is closed
 */
#ifndef VP_REQUEST_H
#define VP_REQUEST_H

#include "http/head.h"
#include "http/ndjson.h"
#include "http/problem.h"
#include "http/query.h"
#include "request/routes.h"
#include "work/job.h"

#include <microhttpd.h>

struct connection;
struct listener;
struct server;

enum request_state {
    REQUEST_HEAD = 0,
    REQUEST_READING,
    REQUEST_QUEUED,
    REQUEST_DONE,
    REQUEST_EXPIRED,
    REQUEST_GONE,
    REQUEST_STREAMING,
    REQUEST_REPLYING,
    REQUEST_FAILED
};

struct request {
    unsigned magic;
    enum request_state state;
    struct server *server; /* borrowed, as all below */
    struct listener *listener;
    struct connection *connection; /* NULL when memory was short for it */
    struct MHD_Connection *handle;
    const struct route *route; /* never NULL after the head: the route of "other" at least */
    struct request *previous, *next;
    struct request_list *list; /* the server's that it is in; NULL: none */

    char *target; /* owned, the raw target; path and query_text point into it */
    size_t n_target;
    const char *path; /* without scheme, authority and /v1 */
    const char *query_text;
    char method[12];
    char id[REQUEST_ID_ROOM];
    char trace_id[TRACE_ID_ROOM];

    struct head head;
    struct query query;
    bool is_preflight; /* of a browser, from an allowed origin */
    struct body body;
    size_t max_body_bytes;  /* set by the route's on_head */
    bool needs_worker;      /* likewise: a full queue refuses it before the body comes */
    struct budget *uploads; /* likewise, when not the clips': what its body counts against */
    struct job *job;        /* owned while it waits; with a worker while it is running */
    struct ndjson stream;
    struct problem problem;

    uint64_t started_ns, deadline_ns;
    uint64_t queue_deadline_ns;
    uint64_t turn_ns; /* since when it waits, or when its next slice is due */
    unsigned status;  /* answered; 0: none yet */
    double encode_ms;
    double audio_s; /* embedded for this request */
};

/* libmicrohttpd's callbacks; context is a listener. [loop] */
void *request_on_target(void *context, const char *target, struct MHD_Connection *connection);
enum MHD_Result request_on_call(void *context, struct MHD_Connection *connection, const char *url,
                                const char *method, const char *version, const char *upload,
                                size_t *n_upload, void **request);
void request_on_completed(void *context, struct MHD_Connection *connection, void **request,
                          enum MHD_RequestTerminationCode code);

/* The worker is done with the request's job. [loop] */
void request_finish(struct request *request);
/* A slice of its diarization is done, and more are to come. [loop] */
void request_go_on(struct request *request);

#endif
