/* A health check without curl. */
#include "config/probe.h"

#include "util/socket.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* A server that listens on all addresses ("0.0.0.0") is reached through the loopback one. */
static void reachable(const char *listen_address, char address[256])
{
    if (strncmp(listen_address, "0.0.0.0:", 8) == 0)
        snprintf(address, 256, "127.0.0.1:%.200s", listen_address + 8);
    else if (strncmp(listen_address, "[::]:", 5) == 0)
        snprintf(address, 256, "[::1]:%.200s", listen_address + 5);
    else
        snprintf(address, 256, "%.250s", listen_address);
}

bool probe_readyz(const struct config *config)
{
    static const char question[] = "GET /readyz HTTP/1.0\r\n\r\n";
    const struct timeval patience = {.tv_sec = 3};
    char address[256], answer[64] = "";
    struct vp_err err;
    reachable(*config->admin_listen != 0 ? config->admin_listen : config->listen, address);
    int fd = socket_open(address, true, &err);
    if (fd < 0) {
        fprintf(stderr, "voiceprintd --probe: %s\n", err.message);
        return false;
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    ssize_t n = -1;
    if (send(fd, question, sizeof question - 1, MSG_NOSIGNAL) == (ssize_t)sizeof question - 1)
        n = recv(fd, answer, sizeof answer - 1, MSG_WAITALL);
    close(fd);
    answer[n > 0 ? n : 0] = 0;
    bool ready = strncmp(answer, "HTTP/1.", 7) == 0 && strncmp(answer + 8, " 200", 4) == 0;
    if (!ready)
        fprintf(stderr, "voiceprintd --probe: not ready (%.12s)\n", answer);
    return ready;
}
