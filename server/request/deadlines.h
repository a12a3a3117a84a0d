/*
 * Every deadline of a request, set in one place. Those of its connection, which connections_tick
 * holds it to, and those of its ticket, which queue_tick does.
 */
#ifndef VP_DEADLINES_H
#define VP_DEADLINES_H

#include "request/request.h"

enum awaited {
    AWAITS_HEAD,   /* its headers, whole */
    AWAITS_BODY,   /* its body, whole */
    AWAITS_WORK,   /* a worker, then the end of the job; an answer in lines meanwhile */
    AWAITS_READER, /* the client, to read the answer */
    AWAITS_NEXT    /* it is over: the next request of its connection */
};

/* From now on the request waits for `awaited`. [loop] */
void deadlines_enter(struct request *request, enum awaited awaited);

#endif
