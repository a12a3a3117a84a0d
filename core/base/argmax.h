/* Where the largest of some values is; the first of those that are equally large. Pure; any thread.
 */
#ifndef VP_ARGMAX_H
#define VP_ARGMAX_H

#include <stddef.h>

/* values [n], n at least 1. Returns an index below n. */
static inline size_t argmax(const double *values, size_t n)
{
    size_t best = 0;
    for (size_t i = 1; i < n; i++)
        if (values[i] > values[best])
            best = i;
    return best;
}

static inline size_t argmax_f32(const float *values, size_t n)
{
    size_t best = 0;
    for (size_t i = 1; i < n; i++)
        if (values[i] > values[best])
            best = i;
    return best;
}

#endif
