/* Finished jobs, from the workers to the loop. */
#include "work/mailbox.h"

#include "util/thread.h"

bool mailbox_open(struct mailbox *mailbox, uv_loop_t *loop, uv_async_cb on_wake_up, void *data)
{
    mailbox->first = mailbox->last = NULL;
    if (pthread_mutex_init(&mailbox->mutex, NULL) != 0)
        return false;
    if (uv_async_init(loop, &mailbox->wake_up, on_wake_up) != 0) {
        pthread_mutex_destroy(&mailbox->mutex);
        return false;
    }
    mailbox->wake_up.data = data;
    return true;
}

void mailbox_post(struct mailbox *mailbox, struct job *job)
{
    ON_WORKER();
    job->next = NULL;
    pthread_mutex_lock(&mailbox->mutex);
    bool was_empty = mailbox->first == NULL;
    if (was_empty)
        mailbox->first = job;
    else
        mailbox->last->next = job;
    mailbox->last = job;
    pthread_mutex_unlock(&mailbox->mutex);
    if (was_empty)
        uv_async_send(&mailbox->wake_up); /* thread-safe, and the only call of libuv that is */
}

struct job *mailbox_take(struct mailbox *mailbox)
{
    ON_LOOP();
    pthread_mutex_lock(&mailbox->mutex);
    struct job *jobs = mailbox->first;
    mailbox->first = mailbox->last = NULL;
    pthread_mutex_unlock(&mailbox->mutex);
    return jobs;
}

void mailbox_close(struct mailbox *mailbox)
{
    ON_LOOP();
    uv_close((uv_handle_t *)&mailbox->wake_up, NULL);
    pthread_mutex_destroy(&mailbox->mutex);
}
