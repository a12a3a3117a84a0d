/* The orderly end of the service. */
#include "drain.h"

#include "request/queue.h"
#include "server.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/thread.h"

#include <poll.h>
#include <unistd.h>

/* A client that connected just before the close gets this long to send its request. */
static const double grace_s = 1.0;
/* Longer than the last packet of a handshake takes to arrive. */
static const double handshake_s = 0.1;

static void enter(struct server *server, enum drain_step step)
{
    server->drain = step;
    server->drain_step_ns = clock_now_ns();
}

/* Nobody new; the close follows when half-done handshakes have had their time. */
static void begin_close(struct server *server)
{
    listener_drop_new(&server->listener);
    enter(server, DRAIN_CLOSING);
}

static void stop_accepting(struct server *server)
{
    log_event(LOG_INFO, "drain-closed", "the listen socket is closed; open requests finish");
    listener_stop_accepting(&server->listener);
    enter(server, DRAIN_CLOSED);
}

void drain_begin(struct server *server, bool at_once)
{
    ON_LOOP();
    if (server->drain != DRAIN_NOT) {
        log_event(LOG_WARN, "drain-cut", "second signal: ending at once");
        _exit(1);
    }
    log_event(LOG_INFO, "drain-announced", "unready from now on; everything is still served");
    enter(server, DRAIN_ANNOUNCED);
    if (at_once)
        begin_close(server);
}

/* Nobody is about to send a request: no fresh connection, no unread bytes on an idle one. */
static bool is_quiet(const struct server *server, uint64_t now_ns)
{
    if (server->connections.n_lingering > 0) /* an answer that its client may not have read */
        return false;
    for (const struct connection *at = server->connections.first; at != NULL; at = at->next) {
        if (at->cut || at->phase == CONNECTION_REQUEST || at->phase == CONNECTION_ANSWER)
            continue;
        struct pollfd readable = {.fd = at->fd, .events = POLLIN};
        bool fresh =
            at->phase == CONNECTION_NEW && now_ns - at->since_ns < clock_from_seconds(grace_s);
        if (fresh || (poll(&readable, 1, 0) > 0 && !connection_peer_left(at)))
            return false;
    }
    return true;
}

static void finish(struct server *server)
{
    enter(server, DRAIN_DONE);
    log_event(LOG_INFO, "drained",
              server->requests_were_cut ? "requests were cut" : "every request was answered");
    uv_stop(&server->loop);
}

/* Whatever waits is told so; what cannot be told in time is cut. */
static void cut(struct server *server)
{
    server->requests_were_cut = true;
    queue_expire_all(server, PROBLEM_DRAINING);
    for (int i = 0; i < 10 && server->n_open_requests > 0; i++) {
        listener_run(&server->listener);
        if (server->has_admin)
            listener_run(&server->admin);
    }
    finish(server);
}

void drain_tick(struct server *server, uint64_t now_ns)
{
    ON_LOOP();
    const struct config *config = server->config;
    uint64_t in_step_ns = now_ns > server->drain_step_ns ? now_ns - server->drain_step_ns : 0;
    if (server->drain == DRAIN_ANNOUNCED) {
        if (in_step_ns >= clock_from_seconds(config->drain_delay_s))
            begin_close(server);
    } else if (server->drain == DRAIN_CLOSING) {
        if (in_step_ns >= clock_from_seconds(handshake_s))
            stop_accepting(server);
    } else if (server->drain == DRAIN_CLOSED) {
        if (server->n_open_requests == 0 && server->running.n == 0 && is_quiet(server, now_ns))
            finish(server);
        else if (in_step_ns >= clock_from_seconds(config->drain_timeout_s) &&
                 server->n_open_requests > 0)
            cut(server);
        else if (in_step_ns >= clock_from_seconds(config->drain_timeout_s))
            finish(server);
    }
}
