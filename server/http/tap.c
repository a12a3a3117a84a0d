/* recv(), send() and sendmsg() for libmicrohttpd. */
#include "http/tap.h"

#include "util/thread.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { FEWEST = 64 };

static const char beginning[] = "HTTP/1.";

struct tap {
    struct wire *wire; /* NULL: nobody's */
    bool holds_end;    /* of the stream: nothing is said of it */
    size_t n_ahead;    /* bytes of the answer to come that were sent already */
};

static struct {
    struct tap *by_fd;
    size_t n;
} taps;

/* Other threads call recv() and send() too, on sockets of theirs; the table is the loop's. */
static struct tap *tap_of(int fd)
{
    if (thread_get_role() >= THREAD_WORKER)
        return NULL;
    struct tap *tap = fd >= 0 && (size_t)fd < taps.n ? &taps.by_fd[fd] : NULL;
    return tap != NULL && tap->wire != NULL ? tap : NULL;
}

bool tap_add(int fd, struct wire *wire)
{
    ON_LOOP();
    if (fd < 0)
        return false;
    if ((size_t)fd >= taps.n) {
        size_t n = taps.n > 0 ? 2 * taps.n : FEWEST;
        while (n <= (size_t)fd)
            n *= 2;
        struct tap *larger = realloc(taps.by_fd, n * sizeof *larger);
        if (larger == NULL)
            return false;
        memset(larger + taps.n, 0, (n - taps.n) * sizeof *larger);
        taps.by_fd = larger;
        taps.n = n;
    }
    taps.by_fd[fd] = (struct tap){.wire = wire};
    return true;
}

void tap_hold_end(int fd, bool hold)
{
    ON_LOOP();
    struct tap *tap = tap_of(fd);
    if (tap != NULL)
        tap->holds_end = hold;
}

void tap_remove(int fd)
{
    ON_LOOP();
    if (fd >= 0 && (size_t)fd < taps.n)
        taps.by_fd[fd] = (struct tap){.wire = NULL};
}

void tap_close(void)
{
    free(taps.by_fd);
    taps.by_fd = NULL;
    taps.n = 0;
}

/* ---- requests ------------------------------------------------------------------------------- */

/*
 * A faulty head is passed on: it is refused with an answer once it is whole. Of a faulty body only
 * what comes before the fault is: no answer can be given while a body comes, so the connection is
 * ended, here or by the next tick.
 */
ssize_t recv_and_show(int fd, void *bytes, size_t n, int flags) __asm__("recv");
ssize_t recv_and_show(int fd, void *bytes, size_t n, int flags)
{
    ssize_t got = recvfrom(fd, bytes, n, flags, NULL, NULL);
    const struct tap *tap = tap_of(fd);
    if (got < 0 || tap == NULL || (flags & (MSG_PEEK | MSG_TRUNC)) != 0)
        return got;
    if (got == 0 && tap->holds_end && n > 0) {
        errno = EAGAIN;
        return -1;
    }
    struct wire *wire = tap->wire;
    size_t n_good = wire_read(wire, bytes, (size_t)got);
    if (!wire->fault_is_in_body)
        return got;
    if (n_good == 0)
        errno = ECONNRESET;
    return n_good > 0 ? (ssize_t)n_good : -1;
}

/* ---- answers -------------------------------------------------------------------------------- */

void tap_send_ahead(int fd)
{
    ON_LOOP();
    struct tap *tap = tap_of(fd);
    if (tap == NULL || tap->n_ahead == sizeof beginning - 1)
        return;
    if (sendto(fd, &beginning[tap->n_ahead], 1, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0) == 1)
        tap->n_ahead++;
}

/* What was sent ahead counts as sent now. Every head is longer than that. */
ssize_t send_the_rest(int fd, const void *bytes, size_t n, int flags) __asm__("send");
ssize_t send_the_rest(int fd, const void *bytes, size_t n, int flags)
{
    struct tap *tap = tap_of(fd);
    const size_t n_ahead = tap != NULL && tap->n_ahead < n ? tap->n_ahead : 0;
    const ssize_t n_sent = sendto(fd, (const char *)bytes + n_ahead, n - n_ahead, flags, NULL, 0);
    if (n_sent < 0 || n_ahead == 0)
        return n_sent;
    tap->n_ahead = 0;
    return n_sent + (ssize_t)n_ahead;
}

/* Where something was sent ahead the first piece goes by itself: to have sent a part is legal. */
ssize_t send_pieces(int fd, const struct msghdr *message, int flags) __asm__("sendmsg");
ssize_t send_pieces(int fd, const struct msghdr *message, int flags)
{
    const struct tap *tap = tap_of(fd);
    if (tap != NULL && tap->n_ahead > 0)
        return send_the_rest(fd, message->msg_iov[0].iov_base, message->msg_iov[0].iov_len, flags);
    struct mmsghdr one = {.msg_hdr = *message};
    return sendmmsg(fd, &one, 1, flags) == 1 ? (ssize_t)one.msg_len : -1;
}
