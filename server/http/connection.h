/*
 * Every open connection, with its own deadline: libmicrohttpd's timeout restarts at each byte and
 * does not run while a connection is suspended. The list is walked on each tick of the loop; what
 * is late gets shutdown(fd), upon which libmicrohttpd closes it.
 *
 * A closed connection may linger: when an answer was sent before the upload was read, closing at
 * once would reset the connection and could take the answer away from the client. A copy of the
 * descriptor is read empty for a moment, within bounds.
 */
#ifndef VP_CONNECTION_H
#define VP_CONNECTION_H

#include "config/config.h"
#include "http/body.h"
#include "http/clients.h"
#include "http/metrics.h"
#include "http/pace.h"
#include "http/wire.h"

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct connection;
struct request;

/* Told when a connection is gone, right before it is freed. */
typedef void connection_on_end(struct connection *connection);

enum connection_phase {
    CONNECTION_NEW,     /* nothing came yet, or not a whole request line */
    CONNECTION_REQUEST, /* a request is coming in */
    CONNECTION_ANSWER,  /* it is in: nothing more is needed from the client but reading */
    CONNECTION_IDLE     /* kept alive between requests */
};

struct connection {
    unsigned magic;
    struct connections *list; /* that it is in */
    struct connection *previous, *next;
    struct request *request;   /* at hand, never looked into here; NULL between requests */
    const struct body *upload; /* borrowed, of that request */
    int fd;                    /* libmicrohttpd's */
    enum connection_phase phase;
    uint64_t since_ns;           /* when the phase began */
    uint64_t deadline_ns;        /* then it is shut down; UINT64_MAX: somebody else watches */
    struct wire wire;            /* what has been read from it, by our own strict reader */
    uint64_t n_requests;         /* that libmicrohttpd has begun */
    int unread_bytes;            /* in the socket, at the last tick */
    unsigned n_untaken;          /* ticks since these were fewer */
    uint64_t acked_bytes;        /* of answers, when eviction looked last */
    uint64_t acked_ns;           /* since when it is so many; 0: not looked at in this phase */
    bool linger;                 /* read on after the close */
    bool cut;                    /* shut down already */
    bool peer_left;              /* because the client had ended its stream */
    struct pace recent, lasting; /* of the upload, see patience.h */
    struct address address;      /* the peer's; zeros where it has none */
    bool is_of_proxy;            /* a trusted one: it asks for many, and no share binds it */
    bool is_chosen;              /* while patience.c looks for uploads to end */
    struct holder holder;        /* on whose account it is open; nobody once it is cut */
    char peer[64];
};

struct lingering {
    int fd;
    uint64_t deadline_ns;
    size_t left_bytes;
};

/* Places above `max`, where a new connection is served while a silent one is made to leave: the
 * more there are, the longer a flood needs to fill them. */
enum { MAX_LINGERING = 64, LEAST_HEADROOM = 64, MOST_HEADROOM = 4096 };

struct connections {
    const struct config *config; /* borrowed, as the next two */
    struct metrics *metrics;
    struct clients *clients;
    connection_on_end *on_end;
    struct connection *first, *last; /* by since_ns, newest first */
    size_t n, max;                   /* above max somebody is made to leave */
    size_t headroom;                 /* above it, as descriptors allow */
    struct lingering lingering[MAX_LINGERING];
    size_t n_lingering;
    uint64_t n_ticks;
};

/* What libmicrohttpd may have open, so that a new connection can come in while an idle one is made
 * to leave. [any] */
static inline size_t connections_hard_limit(const struct connections *connections)
{
    return connections->max + connections->headroom;
}
/* MHD_NotifyConnectionCallback; context is the struct connections. [loop] */
void connection_on_change(void *context, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code);
struct connection *connection_of(struct MHD_Connection *connection); /* [loop] NULL if unknown */
/* Enters phase now, with seconds until the deadline; 0: none. [loop] */
void connection_enter(struct connection *connection, enum connection_phase phase, double seconds);
void connection_cut(struct connection *connection); /* [loop] shutdown(fd), once */
/* Has the client ended its stream, with nothing of it unread? Looks without reading. [loop] */
bool connection_has_ended(const struct connection *connection);
/* An empty list of at most `max`, and `headroom` more for a moment. [start] */
void connections_open(struct connections *connections, const struct config *config,
                      struct metrics *metrics, struct clients *clients, size_t max, size_t headroom,
                      connection_on_end *on_end);
/* Deadlines, clients that left, lingering; who must leave is eviction.h's. [loop] */
void connections_tick(struct connections *connections, uint64_t now_ns);
void connections_close(struct connections *connections); /* [loop] the lingering ones */

#endif
