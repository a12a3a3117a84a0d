/* The handle of the zygote: its start, what it is asked for, its end. What it does is nursery.c's.
 */
#include "sandbox/zygote.h"

#include "sandbox/message.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static bool fail(struct vp_err *err, const char *what)
{
    *err = (struct vp_err){.status = VP_ERR_IO};
    snprintf(err->message, sizeof err->message,
             "decoders cannot be sealed off here (%s: %s); decoder=inline does without", what,
             strerror(errno));
    return false;
}

/* A decoder is made and ended, to see that it can be sealed. */
static bool try_one(const struct zygote *zygote, struct vp_err *err)
{
    const struct shared_size size = {1, 1};
    const int memory = shared_create(size);
    if (memory < 0)
        return fail(err, "memfd_create");
    const int channel = zygote_spawn(zygote, memory, size);
    close(memory);
    if (channel < 0)
        return fail(err, "the zygote");
    struct reply_message reply;
    const ssize_t n = recv(channel, &reply, sizeof reply, 0);
    close(channel);
    if (n != sizeof reply) {
        errno = ECONNRESET;
        return fail(err, "the zygote");
    }
    if (reply.kind == REPLY_READY)
        return true;
    errno = reply.kind == REPLY_NO_FORK ? reply.error : nursery_seal_error(reply.wait_status);
    return fail(err, reply.kind == REPLY_NO_FORK ? "fork" : "the seal");
}

bool zygote_start(struct zygote *zygote, nursery_serve *serve, struct vp_err *err)
{
    int ends[2];
    *zygote = (struct zygote){.control = -1};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return fail(err, "socketpair");
    const pid_t service = getpid();
    zygote->pid = fork();
    if (zygote->pid == 0)
        nursery_run(ends[1], service, serve);
    close(ends[1]);
    zygote->control = ends[0];
    if (zygote->pid > 0 && try_one(zygote, err))
        return true;
    if (zygote->pid < 0)
        (void)fail(err, "fork");
    zygote_end(zygote);
    return false;
}

int zygote_spawn(const struct zygote *zygote, int memory, struct shared_size size)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return -1;
    const int fds[NURSERY_FDS] = {ends[1], memory};
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof fds)];
    } control = {.head = {.cmsg_len = CMSG_LEN(sizeof fds),
                          .cmsg_level = SOL_SOCKET,
                          .cmsg_type = SCM_RIGHTS}};
    memcpy(CMSG_DATA(&control.head), fds, sizeof fds);
    struct iovec order = {&size, sizeof size};
    const struct msghdr message = {.msg_iov = &order,
                                   .msg_iovlen = 1,
                                   .msg_control = control.room,
                                   .msg_controllen = sizeof control.room};
    const ssize_t n = sendmsg(zygote->control, &message, MSG_NOSIGNAL);
    close(ends[1]);
    if (n == (ssize_t)sizeof size)
        return ends[0];
    close(ends[0]);
    return -1;
}

bool zygote_is_gone(const struct zygote *zygote)
{
    return zygote->pid > 0 && waitpid(zygote->pid, NULL, WNOHANG) == zygote->pid;
}

void zygote_end(struct zygote *zygote)
{
    if (zygote->control >= 0)
        close(zygote->control);
    if (zygote->pid > 0)
        (void)waitpid(zygote->pid, NULL, 0);
    *zygote = (struct zygote){.control = -1};
}
