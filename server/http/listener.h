/*
 * One libmicrohttpd daemon on the libuv loop: external epoll, suspend and resume. The epoll
 * descriptor alone is not enough, because clients' sockets are edge-triggered inside: before each
 * sleep the loop asks MHD_get_timeout and runs the daemon again at once where it says so.
 */
#ifndef VP_LISTENER_H
#define VP_LISTENER_H

#include "http/connection.h"
#include "http/hosts.h"
#include "voiceprint.h"

#include <microhttpd.h>
#include <uv.h>

/* Who takes the requests: libmicrohttpd's callbacks, each with the listener as its context. */
struct listener_calls {
    void *(*on_target)(void *listener, const char *target, struct MHD_Connection *handle);
    MHD_AccessHandlerCallback on_call;
    MHD_RequestCompletedCallback on_completed;
};

struct listener {
    void *owner; /* borrowed; what the callbacks work on */
    struct MHD_Daemon *daemon;
    int fd; /* the listen socket, -1 once closed */
    bool is_admin;
    struct hosts hosts; /* the names it answers to */
    bool running_now;
    uv_poll_t poll;
    uv_prepare_t prepare;
    uv_timer_t again;
};

struct listener_setup {
    uv_loop_t *loop;
    struct connections *connections; /* where its connections are kept */
    const struct listener_calls *calls;
    void *owner;
    int fd; /* bound and listening */
    bool is_admin;
    struct hosts hosts;
};

/* Takes setup->fd, also on error; the rest is borrowed. [start] */
bool listener_open(struct listener *listener, const struct listener_setup *setup,
                   struct vp_err *err) VP_MUST_CHECK;
void listener_run(struct listener *listener); /* [loop] after every resume */
/* From here on nobody can begin to connect, see below. [loop] */
void listener_drop_new(struct listener *listener);
/* Accepts what already waits, then stops and closes the listen socket at once: left open it would
 * keep queueing clients that nobody serves. [loop] */
void listener_stop_accepting(struct listener *listener);
void listener_close(struct listener *listener); /* [loop] no connection may be suspended */

#endif
