/* The orderly end of the service. */
#include "drain.h"

#include "util/clock.h"
#include "util/log.h"
#include "util/thread.h"

#include <poll.h>
#include <unistd.h>

/* A client that connected just before the close gets this long to send its request. */
static const double grace_s = 1.0;
/* Longer than the last packet of a handshake takes to arrive. */
static const double handshake_s = 0.1;

static void enter(struct drain *drain, enum drain_step step)
{
    drain->service->drain = step;
    drain->step_ns = clock_now_ns();
}

/* Nobody new; the close follows when half-done handshakes have had their time. */
static void begin_close(struct drain *drain)
{
    listener_drop_new(drain->listener);
    enter(drain, DRAIN_CLOSING);
}

static void stop_accepting(struct drain *drain)
{
    log_event(LOG_INFO, "drain-closed", "the listen socket is closed; open requests finish");
    listener_stop_accepting(drain->listener);
    enter(drain, DRAIN_CLOSED);
}

void drain_begin(struct drain *drain, bool at_once)
{
    ON_LOOP();
    if (drain->service->drain != DRAIN_NOT) {
        log_event(LOG_WARN, "drain-cut", "second signal: ending at once");
        _exit(1);
    }
    log_event(LOG_INFO, "drain-announced", "unready from now on; everything is still served");
    enter(drain, DRAIN_ANNOUNCED);
    if (at_once)
        begin_close(drain);
}

/* Nobody is about to send a request: no fresh connection, no unread bytes on an idle one. */
static bool is_quiet(const struct connections *connections, uint64_t now_ns)
{
    if (connections->n_lingering > 0) /* an answer that its client may not have read */
        return false;
    for (const struct connection *at = connections->first; at != NULL; at = at->next) {
        if (at->cut || at->phase == CONNECTION_REQUEST || at->phase == CONNECTION_ANSWER)
            continue;
        struct pollfd readable = {.fd = at->fd, .events = POLLIN};
        bool fresh =
            at->phase == CONNECTION_NEW && now_ns - at->since_ns < clock_from_seconds(grace_s);
        if (fresh || (poll(&readable, 1, 0) > 0 && !connection_has_ended(at)))
            return false;
    }
    return true;
}

static void finish(struct drain *drain)
{
    enter(drain, DRAIN_DONE);
    log_event(LOG_INFO, "drained",
              drain->requests_were_cut ? "requests were cut"
              : drain->service->n_lost_in_drain > 0
                  ? "every request was answered whose client stayed"
                  : "every request was answered");
    uv_stop(drain->loop);
}

/* Whatever waits is told so; what cannot be told in time is cut. */
static void cut(struct drain *drain)
{
    drain->requests_were_cut = true;
    queue_expire_all(&drain->service->queue, PROBLEM_DRAINING);
    for (int i = 0; i < 10 && drain->service->n_open_requests > 0; i++) {
        listener_run(drain->listener);
        listener_run(drain->admin);
    }
    finish(drain);
}

void drain_tick(struct drain *drain, uint64_t now_ns)
{
    ON_LOOP();
    const struct service *service = drain->service;
    const struct config *config = service->config;
    const uint64_t in_step_ns = now_ns > drain->step_ns ? now_ns - drain->step_ns : 0;
    if (service->drain == DRAIN_ANNOUNCED) {
        if (in_step_ns >= clock_from_seconds(config->drain_delay_s))
            begin_close(drain);
    } else if (service->drain == DRAIN_CLOSING) {
        if (in_step_ns >= clock_from_seconds(handshake_s))
            stop_accepting(drain);
    } else if (service->drain == DRAIN_CLOSED) {
        const bool is_late = in_step_ns >= clock_from_seconds(config->drain_timeout_s);
        if (service->n_open_requests == 0 && queue_away(&service->queue) == 0 &&
            is_quiet(&service->connections, now_ns))
            finish(drain);
        else if (is_late && service->n_open_requests > 0)
            cut(drain);
        else if (is_late)
            finish(drain);
    }
}
