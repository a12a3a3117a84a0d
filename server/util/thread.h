/*
 * Which thread may call a function, asserted. There are three kinds: the loop (libuv and every
 * libmicrohttpd call), the workers (decode, fbank, forward), and main before the loop starts,
 * which is the thread that becomes the loop. Headers tag each function [loop], [worker], [any]
 * or [start]; the first two assert it here.
 */
#ifndef VP_THREAD_H
#define VP_THREAD_H

#include "util/crash.h"

enum thread_role { THREAD_START = 0, THREAD_LOOP, THREAD_WORKER };

void thread_set_role(enum thread_role role); /* [any] once per thread */
enum thread_role thread_get_role(void);      /* [any] */

#define ON_LOOP()   VP_BUG_IF(thread_get_role() == THREAD_WORKER)
#define ON_WORKER() VP_BUG_IF(thread_get_role() != THREAD_WORKER)

#endif
