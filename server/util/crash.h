/*
 * The last words of a process that must die: a broken invariant or a fatal signal leaves file,
 * line or signal, the id of the request at hand, and a backtrace on stderr, then aborts.
 */
#ifndef VP_CRASH_H
#define VP_CRASH_H

#include <stddef.h>

/* Broken invariant: ours to fix, never caused by input. */
#define VP_BUG_IF(condition)                                                                       \
    do {                                                                                           \
        if (__builtin_expect(!!(condition), 0))                                                    \
            crash_bug(__FILE__, __LINE__, #condition);                                             \
    } while (0)

/* A struct that passes through void * carries a magic number, wiped when it is freed. */
#define VP_CHECK_MAGIC(object, expected)                                                           \
    VP_BUG_IF((object) == NULL || (object)->magic != (expected))

void crash_install(void); /* [start] handlers for SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT */
/* The request this thread works for; borrowed until the next call, NULL for none. [any] */
void crash_set_request(const char *request_id);
/* What this thread is called there, a static string; "the loop" until it is set. [any] */
void crash_set_thread(const char *name);
_Noreturn void crash_bug(const char *file, int line, const char *condition); /* [any] */

#endif
