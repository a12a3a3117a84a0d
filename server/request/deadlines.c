/* What a request waits for, and until when. */
#include "request/deadlines.h"

#include "util/clock.h"
#include "util/thread.h"

static uint64_t since_start(const struct request *request, double seconds)
{
    return request->started_ns + clock_from_seconds(seconds);
}

static void enter_head(struct request *request, struct connection *connection)
{
    const bool is_first = connection->phase == CONNECTION_NEW;
    const uint64_t deadline_ns = connection->deadline_ns;
    connection_enter(connection, CONNECTION_REQUEST, request->service->config->header_timeout_s);
    if (is_first) /* the time since the connection came counts */
        connection->deadline_ns = deadline_ns;
}

void deadlines_enter(struct request *request, enum awaited awaited)
{
    ON_LOOP();
    const struct config *config = request->service->config;
    struct connection *connection = request->connection;
    struct ticket *ticket = &request->ticket;
    switch (awaited) {
    case AWAITS_HEAD:
        enter_head(request, connection);
        return;
    case AWAITS_BODY:
        connection->deadline_ns =
            since_start(request, config->request_timeout_s + request->body_extra_s);
        connection->recent = connection->lasting = pace_begin(clock_now_ns(), 0);
        return;
    case AWAITS_WORK:
        ticket->deadline_ns = since_start(request, request->work_timeout_s);
        if (ticket->start_deadline_ns == 0) /* else lines begin, and the work has already */
            ticket->start_deadline_ns =
                clock_now_ns() + clock_from_seconds(1e-3 * config->queue_timeout_ms);
        connection_enter(connection, CONNECTION_ANSWER, 0); /* the queue watches */
        return;
    case AWAITS_READER:
        connection_enter(connection, CONNECTION_ANSWER, config->request_timeout_s);
        return;
    case AWAITS_NEXT:
        connection_enter(connection, CONNECTION_IDLE, config->idle_timeout_s);
        return;
    }
}
