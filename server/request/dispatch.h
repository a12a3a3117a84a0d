/* Jobs on their way from the queue to idle workers, and back to whom they belong. */
#ifndef VP_DISPATCH_H
#define VP_DISPATCH_H

#include "request/service.h"

/* Hands what waits to idle workers: an engine to open first, then what the queue says. [loop] */
void dispatch_jobs(struct service *service);
/* Takes a job that came back by the mailbox, not one that opened an engine. A run of the listeners
 * must follow. [loop] */
void dispatch_take_back(struct service *service, struct job *job);
/* The same for a job that the store had. [loop] */
void dispatch_take_stored(struct service *service, struct job *job);

#endif
