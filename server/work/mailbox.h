/*
 * Where workers meet the loop: finished jobs, in order, under one mutex. The wake-up is sent only
 * when the list was empty; the loop detaches the whole list and releases the mutex before it
 * looks at the jobs, so that a coalesced wake-up loses nothing.
 */
#ifndef VP_MAILBOX_H
#define VP_MAILBOX_H

#include "work/job.h"

#include <pthread.h>
#include <uv.h>

struct mailbox {
    pthread_mutex_t mutex; /* guards first and last */
    struct job *first, *last;
    uv_async_t wake_up;
};

/* on_wake_up runs on the loop; its handle's data is `data`. [start] */
bool mailbox_open(struct mailbox *mailbox, uv_loop_t *loop, uv_async_cb on_wake_up,
                  void *data) VP_MUST_CHECK;
void mailbox_post(struct mailbox *mailbox, struct job *job); /* [worker] takes job */
struct job *mailbox_take(struct mailbox *mailbox);           /* [loop] owned list by `next` */
void mailbox_close(struct mailbox *mailbox);                 /* [loop] once no worker is left */

#endif
