/* Between the queue and the workers. */
#include "request/dispatch.h"

#include "request/account.h"
#include "util/log.h"
#include "util/thread.h"

#include <stdio.h>

void dispatch_jobs(struct service *service)
{
    ON_LOOP();
    struct workers *workers = service->workers;
    while (workers_busy(workers) < workers_count(workers)) {
        struct job *job = service->open_job;
        if (job == NULL) {
            struct ticket *ticket = queue_next(&service->queue);
            if (ticket == NULL)
                return;
            job = ticket->job;
        }
        service->open_job = NULL;
        workers_give(workers, job);
    }
}

/* An embedding that cannot be right: is it the engine? */
static void judge_health(struct service *service, const struct job *job)
{
    if (job->self_test_failed && job->engine == service->engine) {
        service->engine_is_ill = true;
        snprintf(service->not_ready_reason, sizeof service->not_ready_reason,
                 "the model failed its self-test while serving");
        log_event(LOG_ERROR, "self-test-failed", service->not_ready_reason);
    }
    if (job->status == VP_ERR_INFERENCE)
        log_event_limited(LOG_ERROR, "inference-failed", job->err.message);
}

void dispatch_take_stored(struct service *service, struct job *job)
{
    ON_LOOP();
    account_change(service, job);
    struct ticket *ticket = queue_take_stored(&service->queue, job);
    if (ticket != NULL)
        service->queue.calls->on_stored(ticket);
}

void dispatch_take_back(struct service *service, struct job *job)
{
    ON_LOOP();
    struct queue *queue = &service->queue;
    const bool has_turns_left = !job->is_done;
    workers_take_back(service->workers, job);
    judge_health(service, job);
    if (job->kind == JOB_DIARIZE)
        metrics_add_stage(&service->metrics, STAGE_SLICE, 1e-3 * job->conversation.slice_ms);
    struct ticket *ticket = queue_take_back(queue, job);
    if (ticket == NULL)
        return;
    if (!has_turns_left)
        queue->calls->on_done(ticket);
    else if (queue_again(queue, ticket))
        queue->calls->on_turn(ticket);
}
