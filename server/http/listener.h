/*
 * One libmicrohttpd daemon on the libuv loop: external epoll, suspend and resume. The epoll
 * descriptor alone is not enough, because clients' sockets are edge-triggered inside: before each
 * sleep the loop asks MHD_get_timeout and runs the daemon again at once where it says so.
 */
#ifndef VP_LISTENER_H
#define VP_LISTENER_H

#include "voiceprint.h"

#include <microhttpd.h>
#include <uv.h>

struct server;

struct listener {
    struct server *server; /* borrowed */
    struct MHD_Daemon *daemon;
    int fd; /* the listen socket, -1 once closed */
    bool is_admin;
    bool running_now;
    uv_poll_t poll;
    uv_prepare_t prepare;
    uv_timer_t again;
};

/* "host:port", "[v6]:port", ":port" (all addresses). Returns a non-blocking socket, bound and (for
 * listening) listening, or connected when `connecting`; -1 and a sentence on error. [start] */
int listener_socket(const char *address, bool connecting, struct vp_err *err);
/* Takes fd, also on error. [start] */
bool listener_open(struct listener *listener, struct server *server, int fd, bool is_admin,
                   struct vp_err *err) VP_MUST_CHECK;
void listener_run(struct listener *listener);                   /* [loop] after every resume */
unsigned listener_connections(const struct listener *listener); /* [loop] */
/* From here on nobody can begin to connect, see below. [loop] */
void listener_drop_new(struct listener *listener);
/* Accepts what already waits, then stops and closes the listen socket at once: left open it would
 * keep queueing clients that nobody serves. [loop] */
void listener_stop_accepting(struct listener *listener);
void listener_close(struct listener *listener); /* [loop] no connection may be suspended */

#endif
