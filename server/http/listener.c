/* libmicrohttpd driven by libuv. */
#include "http/listener.h"

#include "http/connection.h"
#include "request/request.h"
#include "server.h"
#include "util/log.h"
#include "util/thread.h"

#include <errno.h>
#include <linux/filter.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Above 32 KiB libmicrohttpd gives each connection pages of its own, which go back at its end: what
 * a silent client never touches takes no memory. */
enum { CONNECTION_MEMORY_BYTES = 36 * 1024, BACKLOG = 4096, ACCEPT_ROUNDS = 500 };

static int fail(struct vp_err *err, const char *address, const char *what)
{
    *err = (struct vp_err){.status = VP_ERR_IO};
    snprintf(err->message, sizeof err->message, "%.120s: %.100s", address, what);
    return -1;
}

/* Splits at the last colon; brackets around a v6 address are taken off. */
static bool split_address(const char *address, char host[256], char port[16])
{
    const char *colon = strrchr(address, ':');
    if (colon == NULL || colon[1] == 0 || strlen(colon + 1) >= 16 || colon - address >= 250)
        return false;
    size_t n = (size_t)(colon - address);
    memcpy(host, address, n);
    host[n] = 0;
    if (n >= 2 && host[0] == '[' && host[n - 1] == ']') {
        memmove(host, host + 1, n - 2);
        host[n - 2] = 0;
    }
    snprintf(port, 16, "%s", colon + 1);
    return true;
}

int listener_socket(const char *address, bool connecting, struct vp_err *err)
{
    char host[256], port[16];
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int one = 1, fd = -1;
    if (!split_address(address, host, port))
        return fail(err, address, "is not host:port");
    hints.ai_flags = connecting ? 0 : AI_PASSIVE;
    int error = getaddrinfo(*host != 0 ? host : NULL, port, &hints, &found);
    if (error != 0)
        return fail(err, address, gai_strerror(error));
    errno = 0;
    for (const struct addrinfo *at = found; at != NULL; at = at->ai_next) {
        fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
        if (fd < 0)
            continue;
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        if (connecting ? connect(fd, at->ai_addr, at->ai_addrlen) == 0
                       : bind(fd, at->ai_addr, at->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
            break;
        error = errno;
        close(fd);
        errno = error;
        fd = -1;
    }
    error = errno;
    freeaddrinfo(found);
    return fd >= 0 ? fd : fail(err, address, strerror(error));
}

void listener_run(struct listener *listener)
{
    ON_LOOP();
    if (listener->daemon == NULL || listener->running_now)
        return;
    listener->running_now = true;
    if (MHD_run(listener->daemon) == MHD_NO)
        log_event_limited(LOG_ERROR, "http-run", "MHD_run failed");
    listener->running_now = false;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    listener_run(poll->data);
}

static void on_again(uv_timer_t *timer)
{
    listener_run(timer->data);
}

/* Before the loop sleeps: connections that have work left must not wait for an event. */
static void on_prepare(uv_prepare_t *prepare)
{
    struct listener *listener = prepare->data;
    MHD_UNSIGNED_LONG_LONG timeout_ms = 0;
    if (listener->daemon != NULL && MHD_get_timeout(listener->daemon, &timeout_ms) == MHD_YES)
        uv_timer_start(&listener->again, on_again, timeout_ms, 0);
    else
        uv_timer_stop(&listener->again);
}

static void on_library_message(void *context, const char *format, va_list args)
{
    (void)context;
    char text[256];
    vsnprintf(text, sizeof text, format, args);
    text[strcspn(text, "\n")] = 0;
    log_event_limited(LOG_DEBUG, "http-library", text);
}

/* The raw target is parsed by us; nothing in it may be decoded in place. */
static size_t keep_escapes(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context;
    (void)connection;
    return strlen(text);
}

bool listener_open(struct listener *listener, struct server *server, int fd, bool is_admin,
                   struct vp_err *err)
{
    memset(listener, 0, sizeof *listener);
    listener->server = server;
    listener->fd = fd;
    listener->is_admin = is_admin;
    unsigned limit = (unsigned)connections_hard_limit(&server->connections);
    listener->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL,
        request_on_call, listener, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, limit,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY_BYTES,
        MHD_OPTION_CONNECTION_TIMEOUT, 0U, MHD_OPTION_EXTERNAL_LOGGER, on_library_message, NULL,
        MHD_OPTION_URI_LOG_CALLBACK, request_on_target, listener, MHD_OPTION_NOTIFY_COMPLETED,
        request_on_completed, listener, MHD_OPTION_NOTIFY_CONNECTION, connection_on_change,
        listener, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL, MHD_OPTION_END);
    const union MHD_DaemonInfo *info =
        listener->daemon != NULL ? MHD_get_daemon_info(listener->daemon, MHD_DAEMON_INFO_EPOLL_FD)
                                 : NULL;
    if (info == NULL || uv_poll_init(&server->loop, &listener->poll, info->epoll_fd) != 0) {
        (void)fail(err, "libmicrohttpd", "cannot be started on this socket");
        if (listener->daemon != NULL)
            MHD_stop_daemon(listener->daemon);
        listener->daemon = NULL;
        close(fd);
        return false;
    }
    listener->poll.data = listener->prepare.data = listener->again.data = listener;
    uv_prepare_init(&server->loop, &listener->prepare);
    uv_timer_init(&server->loop, &listener->again);
    uv_prepare_start(&listener->prepare, on_prepare);
    uv_poll_start(&listener->poll, UV_READABLE, on_readable);
    return true;
}

unsigned listener_connections(const struct listener *listener)
{
    ON_LOOP();
    if (listener->daemon == NULL)
        return 0;
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(listener->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
    return info != NULL ? info->num_connections : 0;
}

/* Without this a client that connects between the last accept and the close would be reset. A
 * dropped SYN is sent again and then refused. Handshakes that are half done go through. */
void listener_drop_new(struct listener *listener)
{
    ON_LOOP();
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13),           /* the flags of the TCP header */
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x02, 0, 1), /* SYN: */
        BPF_STMT(BPF_RET | BPF_K, 0),                     /* drop */
        BPF_STMT(BPF_RET | BPF_K, 0xffff),
    };
    struct sock_fprog program = {.len = sizeof code / sizeof code[0], .filter = code};
    if (setsockopt(listener->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0)
        log_event(LOG_DEBUG, "no-syn-filter", "a client that connects right now may be reset");
}

void listener_stop_accepting(struct listener *listener)
{
    ON_LOOP();
    if (listener->fd < 0)
        return;
    struct pollfd waiting = {.fd = listener->fd, .events = POLLIN};
    for (int i = 0; i < ACCEPT_ROUNDS && poll(&waiting, 1, 0) > 0; i++)
        listener_run(listener);
    MHD_quiesce_daemon(listener->daemon);
    close(listener->fd);
    listener->fd = -1;
}

void listener_close(struct listener *listener)
{
    ON_LOOP();
    if (listener->daemon == NULL)
        return;
    uv_poll_stop(&listener->poll);
    uv_close((uv_handle_t *)&listener->poll, NULL);
    uv_close((uv_handle_t *)&listener->prepare, NULL);
    uv_close((uv_handle_t *)&listener->again, NULL);
    if (listener->fd >= 0) {
        MHD_quiesce_daemon(listener->daemon);
        close(listener->fd);
        listener->fd = -1;
    }
    MHD_stop_daemon(listener->daemon);
    listener->daemon = NULL;
}
