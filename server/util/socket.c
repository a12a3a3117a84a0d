/* From "host:port" to a socket. */
#include "util/socket.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 4096 };

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

int socket_open(const char *address, bool connecting, struct vp_err *err)
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
