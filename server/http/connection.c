/* Open connections, their deadlines, eviction and lingering close. */
#include "http/connection.h"

#include "http/tap.h"
#include "util/clock.h"
#include "util/thread.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CONNECTION_MAGIC = 0x636f6e6e,
    LINGER_BYTES = 64 << 20,     /* four uploads of max_body_bytes' default */
    LINGER_TICK_BYTES = 8 << 20, /* all together in a tick of 50 ms: 160 MiB/s */
    UNSENT_BYTES = 128 << 10,    /* of an answer, in the kernel, for a client that does not read */
    UNTAKEN_TICKS = 10,          /* half a second */
    MOST_LOOKED_AT = 1024 /* in a tick: a millisecond's work. Of more, each part in its turn */
};
/* Until a client that goes on sending sees the refusal: a round trip, and one retransmission. */
static const double linger_s = 2.0;

static void name_peer(struct connection *connection, struct MHD_Connection *handle)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(handle, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *address = info != NULL ? info->client_addr : NULL;
    (void)address_of_socket(address, &connection->address);
    char host[48] = "";
    unsigned port = 0;
    if (address != NULL && address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
        port = ntohs(v4->sin_port);
    } else if (address != NULL && address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;
        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
        port = ntohs(v6->sin6_port);
    }
    if (*host != 0)
        snprintf(connection->peer, sizeof connection->peer,
                 strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u", host, port);
}

static void link_first(struct connections *list, struct connection *connection)
{
    connection->previous = NULL;
    connection->next = list->first;
    if (list->first != NULL)
        list->first->previous = connection;
    else
        list->last = connection;
    list->first = connection;
}

static void unlink_from(struct connections *list, struct connection *connection)
{
    if (connection->previous != NULL)
        connection->previous->next = connection->next;
    else
        list->first = connection->next;
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    else
        list->last = connection->previous;
}

/* Counts the connection for its address, unless that is a trusted proxy's. False: memory is short.
 */
static bool count(struct connections *list, struct connection *connection)
{
    connection->is_of_proxy = networks_have(&list->clients->proxies, &connection->address);
    if (connection->is_of_proxy)
        return true;
    if (!holder_open(&connection->holder, list->clients, &connection->address, NULL))
        return false;
    holder_take(&connection->holder, SHARE_CONNECTIONS, 1);
    return true;
}

/* From here on it is as good as gone. */
static void uncount(struct connection *connection)
{
    if (connection->holder.address != NULL)
        holder_give(&connection->holder, SHARE_CONNECTIONS, 1);
    holder_close(&connection->holder);
}

static void add(struct connections *list, struct MHD_Connection *handle, void **socket_context)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(handle, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct connection *connection = calloc(1, sizeof *connection);
    *socket_context = connection;
    if (connection == NULL) { /* nobody would watch over it */
        if (info != NULL)
            shutdown(info->connect_fd, SHUT_RDWR);
        return;
    }
    connection->magic = CONNECTION_MAGIC;
    connection->list = list;
    connection->fd = info != NULL ? info->connect_fd : -1;
    name_peer(connection, handle);
    const int unsent = UNSENT_BYTES;
    (void)setsockopt(connection->fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
    if (!tap_add(connection->fd, &connection->wire) || !count(list, connection))
        connection_cut(connection); /* nobody would judge its framing, or count it */
    link_first(list, connection);
    list->n++;
    connection_enter(connection, CONNECTION_NEW, list->config->header_timeout_s);
}

static void start_lingering(struct connections *list, int fd)
{
    if (list->n_lingering == MAX_LINGERING)
        return;
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0)
        return;
    list->lingering[list->n_lingering++] = (struct lingering){
        .fd = copy,
        .deadline_ns = clock_now_ns() + clock_from_seconds(linger_s),
        .left_bytes = LINGER_BYTES,
    };
}

static void drop(struct connection *connection)
{
    struct connections *list = connection->list;
    list->on_end(connection);
    uncount(connection);
    if (connection->linger && !connection->cut)
        start_lingering(list, connection->fd);
    tap_remove(connection->fd);
    unlink_from(list, connection);
    list->n--;
    connection->magic = 0;
    free(connection);
}

void connection_on_change(void *context, struct MHD_Connection *handle, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    ON_LOOP();
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        add(context, handle, socket_context);
    } else if (*socket_context != NULL) {
        struct connection *connection = *socket_context;
        VP_CHECK_MAGIC(connection, CONNECTION_MAGIC);
        *socket_context = NULL;
        drop(connection);
    }
}

struct connection *connection_of(struct MHD_Connection *handle)
{
    ON_LOOP();
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(handle, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct connection *connection = info != NULL ? info->socket_context : NULL;
    if (connection != NULL)
        VP_CHECK_MAGIC(connection, CONNECTION_MAGIC);
    return connection;
}

void connection_enter(struct connection *connection, enum connection_phase phase, double seconds)
{
    unlink_from(connection->list, connection);
    link_first(connection->list, connection);
    connection->phase = phase;
    tap_hold_end(connection->fd, phase == CONNECTION_ANSWER);
    connection->acked_ns = 0;
    connection->since_ns = clock_now_ns();
    connection->deadline_ns =
        seconds > 0 ? connection->since_ns + clock_from_seconds(seconds) : UINT64_MAX;
}

void connection_cut(struct connection *connection)
{
    ON_LOOP();
    if (!connection->cut && connection->fd >= 0)
        shutdown(connection->fd, SHUT_RDWR);
    uncount(connection);
    connection->cut = true;
}

bool connection_has_ended(const struct connection *connection)
{
    ON_LOOP();
    char byte;
    ssize_t n = recv(connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

/* Throws away what the client still sends, at most n_bytes now, so that our close is a FIN and not
 * a reset. False: that was all. */
static bool linger_on(struct lingering *lingering, size_t n_bytes, uint64_t now_ns)
{
    ssize_t n = recv(lingering->fd, NULL, n_bytes, MSG_DONTWAIT | MSG_TRUNC); /* tcp(7): unread */
    if (n < 0)
        return (errno == EAGAIN || errno == EINTR) && now_ns < lingering->deadline_ns;
    if (n == 0 || (size_t)n >= lingering->left_bytes)
        return false;
    lingering->left_bytes -= (size_t)n;
    return now_ns < lingering->deadline_ns;
}

static void linger_tick(struct connections *list, uint64_t now_ns)
{
    if (list->n_lingering == 0)
        return;
    const size_t share = LINGER_TICK_BYTES / list->n_lingering;
    for (size_t i = 0; i < list->n_lingering;) {
        if (linger_on(&list->lingering[i], share, now_ns)) {
            i++;
            continue;
        }
        close(list->lingering[i].fd);
        list->lingering[i] = list->lingering[--list->n_lingering];
    }
}

/*
 * libmicrohttpd reads until a read comes back short and then waits for the next edge. Where the
 * client's FIN was there already no further edge comes, and the connection would stay until its
 * deadline: so whoever still has to send something is looked at for an end without unread bytes.
 * Nor is there an end to bytes that find no room in its buffer, such as a line of a chunked body
 * longer than all of it: it tries again in every turn of the loop. Who stays so is cut. The strict
 * reader (wire.h) refuses every such line that is known; this holds for those that are not.
 */
static void look_for_end(struct connection *at)
{
    if (connection_has_ended(at)) {
        at->peer_left = true;
        connection_cut(at);
        return;
    }
    int unread = 0;
    if (ioctl(at->fd, FIONREAD, &unread) != 0)
        return;
    at->n_untaken = unread > 0 && unread >= at->unread_bytes ? at->n_untaken + 1 : 0;
    at->unread_bytes = unread;
    if (at->n_untaken >= UNTAKEN_TICKS || at->wire.fault_is_in_body)
        connection_cut(at);
}

void connections_tick(struct connections *list, uint64_t now_ns)
{
    ON_LOOP();
    const uint64_t n_parts = 1 + list->n / MOST_LOOKED_AT;
    uint64_t i = list->n_ticks++;
    for (struct connection *at = list->first; at != NULL; at = at->next) {
        if (!at->cut && at->phase != CONNECTION_ANSWER && i++ % n_parts == 0)
            look_for_end(at);
        if (now_ns < at->deadline_ns || at->cut)
            continue;
        if (at->phase != CONNECTION_IDLE)
            list->metrics->deadlines_missed++;
        connection_cut(at);
    }
    linger_tick(list, now_ns);
}

void connections_open(struct connections *list, const struct config *config,
                      struct metrics *metrics, struct clients *clients, size_t max, size_t headroom,
                      connection_on_end *on_end)
{
    memset(list, 0, sizeof *list);
    list->config = config;
    list->metrics = metrics;
    list->clients = clients;
    list->max = max;
    list->headroom = headroom;
    list->on_end = on_end;
}

void connections_close(struct connections *list)
{
    while (list->n_lingering > 0)
        close(list->lingering[--list->n_lingering].fd);
    tap_close();
}
