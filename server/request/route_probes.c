/* GET /livez, /readyz, /healthz: for load balancers and supervisors. */
#include "request/answer.h"
#include "util/thread.h"

static void answer(struct request *request)
{
    struct json_build root = json_begin_object();
    json_put_text(&root, "status", service_state(request->service));
    (void)answer_json(request, MHD_HTTP_OK, root);
}

/* The loop turns, else nobody would answer; whether the queue is full is not its business. */
void route_livez_answer(struct request *request)
{
    ON_LOOP();
    if (service_is_stuck(request->service))
        problem_set(&request->problem, PROBLEM_STUCK,
                    "a worker has sat in one job for longer than watchdog_s");
    else
        answer(request);
}

void route_readyz_answer(struct request *request)
{
    ON_LOOP();
    struct service *service = request->service;
    if (service->drain != DRAIN_NOT)
        problem_set(&request->problem, PROBLEM_DRAINING, "this instance is shutting down");
    else if (!service_is_ready(service))
        problem_set(&request->problem, PROBLEM_NOT_READY, "%s", service->not_ready_reason);
    else
        answer(request);
}
