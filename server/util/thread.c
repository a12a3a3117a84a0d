/* The role of each thread. */
#include "util/thread.h"

#include "util/clock.h"

#include <errno.h>
#include <signal.h>

enum { JOIN_PAUSE_NS = 1000 * 1000 };

static _Thread_local enum thread_role current_role;

void thread_set_role(enum thread_role role)
{
    current_role = role;
    crash_set_thread(role == THREAD_WORKER  ? "a worker"
                     : role == THREAD_STORE ? "the store"
                                            : "the loop");
}

enum thread_role thread_get_role(void)
{
    return current_role;
}

int thread_start(pthread_t *thread, void *(*run)(void *), void *argument)
{
    sigset_t all, before;
    sigfillset(&all);
    /* A crash is the thread's own: those stay deliverable. */
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGILL);
    sigdelset(&all, SIGABRT);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int error = pthread_create(thread, NULL, run, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

/* Not pthread_timedjoin_np, which knows the time of day only. */
bool thread_join(pthread_t thread, uint64_t until_ns)
{
    int status;
    while ((status = pthread_tryjoin_np(thread, NULL)) == EBUSY && clock_now_ns() < until_ns)
        nanosleep(&(struct timespec){.tv_nsec = JOIN_PAUSE_NS}, NULL);
    return status == 0;
}
