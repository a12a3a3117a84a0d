/* The role of each thread. */
#include "util/thread.h"

static _Thread_local enum thread_role current_role;

void thread_set_role(enum thread_role role)
{
    current_role = role;
    crash_set_thread(role == THREAD_WORKER ? "a worker" : "the loop");
}

enum thread_role thread_get_role(void)
{
    return current_role;
}
