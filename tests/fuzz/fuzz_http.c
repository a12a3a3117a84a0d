/*
 * Any bytes as what a client sends, to libmicrohttpd behind our strict reader, as in the service:
 * both take the same requests out of them, by method, target and body, and a connection comes to
 * its end. libFuzzer's main; `make fuzz` runs it.
 */
#include "http/tap.h"

#include <fcntl.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    BYTES_MAX = 64 * 1024,
    PIECE_BYTES = 16, /* sent at once: what is wrong may come behind what was taken */
    REQUESTS_MAX = 256,
    TURNS_MAX = 10000, /* of the library, for one connection */
    IDLE_TURNS = 8,    /* after which nothing more is expected */
    CONNECTION_MEMORY_BYTES = 36 * 1024,
    METHOD_ROOM = 64, /* of a method and a target, as they are compared */
    TARGET_ROOM = 512
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

/* One request as a reader of the bytes sees it. */
struct seen {
    char method[METHOD_ROOM], target[TARGET_ROOM]; /* cut off */
    size_t n_body;
    uint64_t body_hash;
    bool has_head, is_whole;
};

struct list {
    struct seen at[REQUESTS_MAX];
    size_t n;
};

static struct {
    struct wire wire; /* beside libmicrohttpd, as the service has it */
    struct list seen; /* by libmicrohttpd */
    size_t n_targets; /* that libmicrohttpd took out of the connection */
    bool is_over;
} connection;

static const uint64_t FNV_BASIS = 0xcbf29ce484222325u, FNV_PRIME = 0x100000001b3u;

static void take_text(char *text, size_t room, const void *bytes, size_t n)
{
    n = n < room ? n : room - 1;
    memcpy(text, bytes, n);
    text[n] = 0;
}

static void take_body(struct seen *seen, const void *bytes, size_t n)
{
    const uint8_t *byte = bytes;
    for (size_t i = 0; i < n; i++)
        seen->body_hash = (seen->body_hash ^ byte[i]) * FNV_PRIME;
    seen->n_body += n;
}

/* The requests of the bytes before the first fault, by the strict reader. */
static void read_strictly(const uint8_t *bytes, size_t n_bytes, struct list *list)
{
    struct wire wire = {0};
    size_t word_at = 0; /* where the method or the target begins */
    for (size_t i = 0; i < n_bytes && list->n < REQUESTS_MAX; i++) {
        const enum wire_state before = wire.state;
        const uint64_t n_bodies = wire.n_bodies;
        struct seen *seen = &list->at[list->n];
        if (wire_read(&wire, bytes + i, 1) == 0)
            return;
        if (before == WIRE_START && wire.state == WIRE_METHOD)
            word_at = i;
        if (before == WIRE_METHOD && wire.state == WIRE_TARGET) {
            take_text(seen->method, METHOD_ROOM, bytes + word_at, i - word_at);
            seen->body_hash = FNV_BASIS;
            word_at = i + 1;
        }
        if (before == WIRE_TARGET && wire.state == WIRE_VERSION)
            take_text(seen->target, TARGET_ROOM, bytes + word_at, i - word_at);
        if (before == WIRE_BODY || before == WIRE_CHUNK_DATA)
            take_body(seen, bytes + i, 1);
        if (wire.n_bodies > n_bodies) {
            seen->is_whole = true;
            list->n++;
        }
    }
}

static void *on_target(void *closure, const char *target, struct MHD_Connection *handle)
{
    (void)closure, (void)handle;
    if (connection.n_targets++ >= REQUESTS_MAX)
        return NULL;
    struct seen *seen = &connection.seen.at[connection.n_targets - 1];
    connection.seen.n = connection.n_targets;
    take_text(seen->target, TARGET_ROOM, target, strlen(target));
    seen->body_hash = FNV_BASIS;
    return seen;
}

static enum MHD_Result answer(struct MHD_Connection *handle, unsigned status, bool last)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(0, "", MHD_RESPMEM_PERSISTENT);
    if (last)
        MHD_add_response_header(response, "Connection", "close");
    const enum MHD_Result queued = MHD_queue_response(handle, status, response);
    MHD_destroy_response(response);
    return queued;
}

static enum MHD_Result on_call(void *closure, struct MHD_Connection *handle, const char *url,
                               const char *method, const char *version, const char *body,
                               size_t *n_body, void **context)
{
    (void)closure, (void)url, (void)version;
    struct seen *seen = *context;
    if (seen == NULL) /* more requests than are compared */
        return MHD_NO;
    if (!seen->has_head) {
        seen->has_head = true;
        take_text(seen->method, METHOD_ROOM, method, strlen(method));
        if (wire_judge(&connection.wire, connection.n_targets - 1) != NULL)
            return answer(handle, MHD_HTTP_BAD_REQUEST, true);
        return MHD_YES;
    }
    if (*n_body > 0) {
        take_body(seen, body, *n_body);
        *n_body = 0;
        return MHD_YES;
    }
    seen->is_whole = true;
    return answer(handle, MHD_HTTP_OK, false);
}

static void on_connection(void *closure, struct MHD_Connection *handle, void **context,
                          enum MHD_ConnectionNotificationCode what)
{
    (void)closure, (void)handle, (void)context;
    connection.is_over |= what == MHD_CONNECTION_NOTIFY_CLOSED;
}

/* Targets stay as they were sent, as in the service. */
static size_t keep_escapes(void *closure, struct MHD_Connection *handle, char *text)
{
    (void)closure, (void)handle;
    return strlen(text);
}

static struct MHD_Daemon *daemon_of_all(void)
{
    static struct MHD_Daemon *daemon;
    if (daemon == NULL)
        daemon =
            MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL, on_call, NULL,
                             MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY_BYTES,
                             MHD_OPTION_CONNECTION_TIMEOUT, 0U, MHD_OPTION_URI_LOG_CALLBACK,
                             on_target, NULL, MHD_OPTION_NOTIFY_CONNECTION, on_connection, NULL,
                             MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL, MHD_OPTION_END);
    if (daemon == NULL)
        abort();
    return daemon;
}

/* Whether anything was answered. */
static bool read_answers(int fd)
{
    char answers[4096];
    bool any = false;
    while (read(fd, answers, sizeof answers) > 0)
        any = true;
    return any;
}

/* The client leaves when everything is sent and nothing happens any more. */
static void serve(const uint8_t *bytes, size_t n_bytes)
{
    struct MHD_Daemon *daemon = daemon_of_all();
    const struct sockaddr nobody = {.sa_family = AF_UNIX};
    size_t n_sent = 0;
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) != 0 ||
        !tap_add(fds[1], &connection.wire) ||
        MHD_add_connection(daemon, fds[1], &nobody, sizeof nobody) != MHD_YES)
        abort();
    for (int i = 0, n_idle = 0; !connection.is_over; i++) {
        const size_t n_left = n_bytes - n_sent, n_targets = connection.n_targets;
        const ssize_t n =
            send(fds[0], bytes + n_sent, n_left < PIECE_BYTES ? n_left : PIECE_BYTES, MSG_NOSIGNAL);
        n_sent += n > 0 ? (size_t)n : 0;
        if (MHD_run(daemon) != MHD_YES || i == TURNS_MAX)
            abort();
        const bool any = n > 0 || read_answers(fds[0]) || connection.n_targets > n_targets;
        n_idle = any ? 0 : n_idle + 1;
        if (n_idle == IDLE_TURNS)
            shutdown(fds[0], SHUT_RDWR);
    }
    tap_remove(fds[1]);
    close(fds[0]);
    MHD_run(daemon); /* frees what is over */
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    static struct list strict;
    if (n_bytes > BYTES_MAX)
        return 0;
    memset(&connection, 0, sizeof connection);
    memset(&strict, 0, sizeof strict);
    read_strictly(bytes, n_bytes, &strict);
    serve(bytes, n_bytes);
    for (size_t i = 0; i < connection.seen.n; i++) {
        const struct seen *found = &connection.seen.at[i], *wanted = &strict.at[i];
        if (!found->is_whole)
            continue;
        if (!wanted->is_whole || found->n_body != wanted->n_body ||
            found->body_hash != wanted->body_hash || strcmp(found->method, wanted->method) != 0 ||
            strcmp(found->target, wanted->target) != 0) {
            fprintf(stderr, "request %zu: %s '%s', %zu bytes; strictly %s '%s', %zu bytes\n", i,
                    found->method, found->target, found->n_body, wanted->method, wanted->target,
                    wanted->n_body);
            abort();
        }
    }
    return 0;
}
