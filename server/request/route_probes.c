/* GET /livez, /readyz, /healthz: for load balancers and supervisors. */
#include "http/reply.h"
#include "server.h"
#include "util/thread.h"

static void answer(struct request *request)
{
    (void)reply_json(request, MHD_HTTP_OK,
                     json_pack("{s:s}", "status", server_state(request->server)));
}

/* The loop turns, else nobody would answer; whether the queue is full is not its business. */
void route_livez_answer(struct request *request)
{
    ON_LOOP();
    if (server_is_stuck(request->server))
        problem_set(&request->problem, PROBLEM_STUCK,
                    "a worker has sat in one job for longer than watchdog_s");
    else
        answer(request);
}

void route_readyz_answer(struct request *request)
{
    ON_LOOP();
    struct server *server = request->server;
    if (server->drain != DRAIN_NOT)
        problem_set(&request->problem, PROBLEM_DRAINING, "this instance is shutting down");
    else if (!server_is_ready(server))
        problem_set(&request->problem, PROBLEM_NOT_READY, "%s", server->not_ready_reason);
    else
        answer(request);
}
