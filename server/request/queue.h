/*
 * Requests that wait, oldest first: clips in server->queue for a worker, diarizations in
 * server->slices for their next slice; those in server->running have their jobs with workers.
 * Whoever waited too long, or whose client left, goes from here.
 */
#ifndef VP_QUEUE_H
#define VP_QUEUE_H

#include "request/request.h"

/* Suspends the request and queues job, or refuses it when the queue is full. Takes job. [loop] */
void queue_submit(struct request *request, struct job *job);
/* Must another job of this kind be refused? [loop] */
bool queue_is_full(const struct server *server, enum job_kind kind);
/* The request's diarization came back and has slices left: it waits for its next turn. [loop] */
void queue_again(struct request *request);
/* Takes the oldest waiting request that is worth working on, NULL when there is none. [loop] */
struct request *queue_next(struct server *server);
/* A request that waited goes on in `state`. A run of its listener must follow. [loop] */
void queue_resume(struct request *request, enum request_state state);
/* Out of the list that it is in, if any; a job that a worker holds loses its request. [loop] */
void queue_leave(struct request *request);
/* Looks after all that waits: deadlines and clients that left. [loop] */
void queue_tick(struct server *server, uint64_t now_ns);
/* Ends everything that is suspended with `kind`; for the end of the drain. [loop] */
void queue_expire_all(struct server *server, enum problem_kind kind);

#endif
