/* libmicrohttpd driven by libuv. */
#include "http/listener.h"

#include "util/log.h"
#include "util/thread.h"

#include <linux/filter.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Above 32 KiB libmicrohttpd gives each connection pages of its own, which go back at its end: what
 * a silent client never touches takes no memory. */
enum { CONNECTION_MEMORY_BYTES = 36 * 1024, ACCEPT_ROUNDS = 500 };

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

bool listener_open(struct listener *listener, const struct listener_setup *setup,
                   struct vp_err *err)
{
    const struct listener_calls *calls = setup->calls;
    const int fd = setup->fd;
    *listener = (struct listener){
        .owner = setup->owner, .fd = fd, .is_admin = setup->is_admin, .hosts = setup->hosts};
    unsigned limit = (unsigned)connections_hard_limit(setup->connections);
    listener->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL, calls->on_call,
        listener, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, limit,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY_BYTES,
        MHD_OPTION_CONNECTION_TIMEOUT, 0U, MHD_OPTION_EXTERNAL_LOGGER, on_library_message, NULL,
        MHD_OPTION_URI_LOG_CALLBACK, calls->on_target, listener, MHD_OPTION_NOTIFY_COMPLETED,
        calls->on_completed, listener, MHD_OPTION_NOTIFY_CONNECTION, connection_on_change,
        setup->connections, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL, MHD_OPTION_END);
    const union MHD_DaemonInfo *info =
        listener->daemon != NULL ? MHD_get_daemon_info(listener->daemon, MHD_DAEMON_INFO_EPOLL_FD)
                                 : NULL;
    if (info == NULL || uv_poll_init(setup->loop, &listener->poll, info->epoll_fd) != 0) {
        *err = (struct vp_err){.status = VP_ERR_IO,
                               .message = "libmicrohttpd cannot be started on this socket"};
        if (listener->daemon != NULL)
            MHD_stop_daemon(listener->daemon);
        listener->daemon = NULL;
        close(fd);
        return false;
    }
    listener->poll.data = listener->prepare.data = listener->again.data = listener;
    uv_prepare_init(setup->loop, &listener->prepare);
    uv_timer_init(setup->loop, &listener->again);
    uv_prepare_start(&listener->prepare, on_prepare);
    uv_poll_start(&listener->poll, UV_READABLE, on_readable);
    return true;
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
