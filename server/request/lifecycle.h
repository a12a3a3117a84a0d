/*
 * The life of a request: what libmicrohttpd's calls and the queue's news do in each state.
 * request.h names the states.
 */
#ifndef VP_LIFECYCLE_H
#define VP_LIFECYCLE_H

#include "http/listener.h"
#include "request/request.h"

/* libmicrohttpd's; the listener's owner is the struct service. */
extern const struct listener_calls request_listener_calls;
/* The end of a request that libmicrohttpd reported none of, at the latest with its connection. */
connection_on_end request_on_connection_end; /* [loop] */
/* What becomes of requests that wait. */
extern const struct queue_calls request_queue_calls;

/* Suspends the request and queues job, or refuses it when the queue is full. Takes job. For a
 * route's on_body. [loop] */
void request_submit(struct request *request, struct job *job);
/* Suspends the request, unless it is, and gives job to the store of known voices. Takes job. [loop]
 */
void request_store(struct request *request, struct job *job);

#endif
