/* recv() for libmicrohttpd. */
#include "http/tap.h"

#include "util/thread.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { FEWEST = 64 };

static struct {
    struct wire **by_fd;
    size_t n;
} taps;

bool tap_add(int fd, struct wire *wire)
{
    ON_LOOP();
    if (fd < 0)
        return false;
    if ((size_t)fd >= taps.n) {
        size_t n = taps.n > 0 ? 2 * taps.n : FEWEST;
        while (n <= (size_t)fd)
            n *= 2;
        struct wire **larger = realloc(taps.by_fd, n * sizeof *larger);
        if (larger == NULL)
            return false;
        memset(larger + taps.n, 0, (n - taps.n) * sizeof *larger);
        taps.by_fd = larger;
        taps.n = n;
    }
    taps.by_fd[fd] = wire;
    return true;
}

void tap_remove(int fd)
{
    ON_LOOP();
    if (fd >= 0 && (size_t)fd < taps.n)
        taps.by_fd[fd] = NULL;
}

void tap_close(void)
{
    free(taps.by_fd);
    taps.by_fd = NULL;
    taps.n = 0;
}

/*
 * A faulty head is passed on: it is refused with an answer once it is whole. Of a faulty body only
 * what comes before the fault is: no answer can be given while a body comes, so the connection is
 * ended, here or by the next tick.
 */
ssize_t recv_and_show(int fd, void *bytes, size_t n, int flags) __asm__("recv");
ssize_t recv_and_show(int fd, void *bytes, size_t n, int flags)
{
    ssize_t got = recvfrom(fd, bytes, n, flags, NULL, NULL);
    struct wire *wire = fd >= 0 && (size_t)fd < taps.n ? taps.by_fd[fd] : NULL;
    if (got <= 0 || wire == NULL || (flags & (MSG_PEEK | MSG_TRUNC)) != 0)
        return got;
    size_t n_good = wire_read(wire, bytes, (size_t)got);
    if (!wire->fault_is_in_body)
        return got;
    if (n_good == 0)
        errno = ECONNRESET;
    return n_good > 0 ? (ssize_t)n_good : -1;
}
