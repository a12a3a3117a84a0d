/* Broken invariants: a bug of this library, never of its input. Any thread. */
#ifndef VP_BUG_H
#define VP_BUG_H

#include <stdio.h>
#include <stdlib.h>

/* Says where and what in one line on stderr, and aborts, when condition holds. */
#define BUG_IF(condition, what)                                                                    \
    do {                                                                                           \
        if (condition) {                                                                           \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, what);                              \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#endif
