/*
 * Which thread may call a function, asserted. There are four kinds: the loop (libuv and every
 * libmicrohttpd call), the workers (decode, fbank, forward), the store's (the file of known
 * voices), and main before the loop starts, which is the thread that becomes the loop. Headers tag
 * each function [loop], [worker], [any] or [start]; the first two assert it here, [store] as one of
 * the workers.
 */
#ifndef VP_THREAD_H
#define VP_THREAD_H

#include "util/crash.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum thread_role { THREAD_START = 0, THREAD_LOOP, THREAD_WORKER, THREAD_STORE };

void thread_set_role(enum thread_role role); /* [any] once per thread */
enum thread_role thread_get_role(void);      /* [any] */

/* Starts a thread that takes no signals but those of a crash. Returns 0 or an errno. [start] */
int thread_start(pthread_t *thread, void *(*run)(void *), void *argument);
/* Waits for its end until that moment of the clock; false: it goes on. [loop] */
bool thread_join(pthread_t thread, uint64_t until_ns);

#define ON_LOOP()   VP_BUG_IF(thread_get_role() >= THREAD_WORKER)
#define ON_WORKER() VP_BUG_IF(thread_get_role() < THREAD_WORKER)

#endif
