/* One process, no thread, a poll over all decoders. */
#include "sandbox/nursery.h"

#include "sandbox/seal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_DECODERS = 4096, AT_SIGNALS = 0, AT_CONTROL = 1, AT_FIRST = 2 };
enum { NOT_SEALED = 64 }; /* exit status of a decoder that could not be: this and errno */

static struct {
    nursery_serve *serve;
    int error; /* errno: why nothing can be sealed here; 0: it can */
    size_t n;  /* decoders */
    pid_t pids[MOST_DECODERS];
    int channels[MOST_DECODERS];                    /* their ends */
    struct pollfd polled[AT_FIRST + MOST_DECODERS]; /* fd -1: it was killed, and ends */
} nursery;

static void tell(int channel, const struct reply_message *reply)
{
    (void)!send(channel, reply, sizeof *reply, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* ---- a decoder's beginning ------------------------------------------------------------------- */

static _Noreturn void become_decoder(int channel, int memory, struct shared_size size, pid_t zygote)
{
    static const int defaults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGCHLD, SIGSYS};
    sigset_t none;
    struct shared shared;
    sigemptyset(&none);
    for (size_t i = 0; i < sizeof defaults / sizeof defaults[0]; i++)
        signal(defaults[i], SIG_DFL);
    (void)prctl(PR_SET_NAME, "vp-decoder", 0L, 0L, 0L);
    if (prctl(PR_SET_PDEATHSIG, (long)SIGKILL, 0L, 0L, 0L) != 0 || getppid() != zygote ||
        sigprocmask(SIG_SETMASK, &none, NULL) != 0 || !shared_map(&shared, memory, size) ||
        !seal(channel))
        _exit(NOT_SEALED + errno % NOT_SEALED);
    struct reply_message reply;
    memset(&reply, 0, sizeof reply);
    reply.kind = REPLY_READY;
    tell(STDIN_FILENO, &reply);
    nursery.serve(STDIN_FILENO, &shared);
    _exit(EXIT_SUCCESS);
}

int nursery_seal_error(int wait_status)
{
    const int status = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 0;
    return status > NOT_SEALED ? status - NOT_SEALED : 0;
}

/* ---- orders ---------------------------------------------------------------------------------- */

static void make_decoder(int channel, int memory, struct shared_size size)
{
    const pid_t zygote = getpid();
    errno = nursery.error != 0 ? nursery.error : EAGAIN;
    const pid_t pid = nursery.error == 0 && nursery.n < MOST_DECODERS ? fork() : -1;
    if (pid == 0)
        become_decoder(channel, memory, size, zygote);
    close(memory);
    if (pid < 0) {
        struct reply_message reply;
        memset(&reply, 0, sizeof reply);
        reply.kind = REPLY_NO_FORK;
        reply.error = errno;
        tell(channel, &reply);
        close(channel);
        return;
    }
    nursery.pids[nursery.n] = pid;
    nursery.channels[nursery.n] = channel;
    nursery.polled[AT_FIRST + nursery.n] = (struct pollfd){.fd = channel, .events = POLLRDHUP};
    nursery.n++;
}

/* False: the service is gone. */
static bool take_order(int control)
{
    struct shared_size size;
    int fds[NURSERY_FDS];
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof fds)];
    } rights;
    struct iovec order = {&size, sizeof size};
    struct msghdr message = {.msg_iov = &order,
                             .msg_iovlen = 1,
                             .msg_control = rights.room,
                             .msg_controllen = sizeof rights.room};
    const ssize_t n = recvmsg(control, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (n <= 0)
        return n < 0 && (errno == EAGAIN || errno == EINTR);
    const struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    if (n != (ssize_t)sizeof size || head == NULL || head->cmsg_len != CMSG_LEN(sizeof fds))
        return true; /* descriptors were short: its channel is closed, which tells the service */
    memcpy(fds, CMSG_DATA(head), sizeof fds);
    make_decoder(fds[0], fds[1], size);
    return true;
}

/* ---- ends ------------------------------------------------------------------------------------ */

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + 1e-6 * (double)time.tv_usec;
}

static void bury(size_t i, int wait_status, const struct rusage *usage)
{
    struct reply_message reply;
    memset(&reply, 0, sizeof reply);
    reply.kind = REPLY_ENDED;
    reply.wait_status = wait_status;
    reply.cpu_s = seconds(usage->ru_utime) + seconds(usage->ru_stime);
    tell(nursery.channels[i], &reply);
    close(nursery.channels[i]);
    nursery.n--;
    nursery.pids[i] = nursery.pids[nursery.n];
    nursery.channels[i] = nursery.channels[nursery.n];
    nursery.polled[AT_FIRST + i] = nursery.polled[AT_FIRST + nursery.n];
}

static void bury_the_dead(int signals)
{
    struct signalfd_siginfo unread[8];
    struct rusage usage;
    int wait_status;
    pid_t pid;
    (void)!read(signals, unread, sizeof unread);
    while ((pid = wait4(-1, &wait_status, WNOHANG, &usage)) > 0) {
        size_t i = 0;
        while (i < nursery.n && nursery.pids[i] != pid)
            i++;
        if (i < nursery.n)
            bury(i, wait_status, &usage);
    }
}

static void kill_unwanted(void)
{
    for (size_t i = 0; i < nursery.n; i++) {
        struct pollfd *polled = &nursery.polled[AT_FIRST + i];
        if (polled->fd < 0 || polled->revents == 0)
            continue;
        kill(nursery.pids[i], SIGKILL);
        polled->fd = -1; /* its end comes by SIGCHLD */
    }
}

/* ---- the life of the zygote ------------------------------------------------------------------ */

/* Signals to the whole group are the service's: it drains, and needs its decoders for that. */
static int ignore_signals(void)
{
    sigset_t children;
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE};
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
        signal(ignored[i], SIG_IGN);
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    sigprocmask(SIG_SETMASK, &children, NULL);
    return signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* As many descriptors as may be had; libraries look at the time zone's files when they first write
 * a date, which a decoder cannot. */
static void prepare(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    setenv("TZ", "UTC0", 1);
    tzset();
    vp_decoding_prepare();
    nursery.error = seal_prepare() ? 0 : errno;
}

_Noreturn void nursery_run(int control, pid_t service, nursery_serve *serve)
{
    enum { CONTROL = STDERR_FILENO + 1 };
    nursery.serve = serve;
    (void)prctl(PR_SET_NAME, "vp-zygote", 0L, 0L, 0L);
    if (prctl(PR_SET_PDEATHSIG, (long)SIGKILL, 0L, 0L, 0L) != 0 || getppid() != service ||
        dup2(control, CONTROL) != CONTROL)
        _exit(EXIT_FAILURE);
    closefrom(CONTROL + 1);
    const int signals = ignore_signals();
    prepare();
    nursery.polled[AT_SIGNALS] = (struct pollfd){.fd = signals, .events = POLLIN};
    nursery.polled[AT_CONTROL] = (struct pollfd){.fd = CONTROL, .events = POLLIN};
    bool is_wanted = signals >= 0;
    while (is_wanted) {
        if (poll(nursery.polled, AT_FIRST + nursery.n, -1) < 0)
            continue;
        kill_unwanted(); /* first: the others change places */
        if (nursery.polled[AT_SIGNALS].revents != 0)
            bury_the_dead(signals);
        if (nursery.polled[AT_CONTROL].revents != 0)
            is_wanted = take_order(CONTROL);
    }
    for (size_t i = 0; i < nursery.n; i++)
        kill(nursery.pids[i], SIGKILL);
    _exit(EXIT_SUCCESS);
}
