/*
 * Four floats side by side, one of each of four signals: GCC vector extensions, which every
 * x86-64 and ARM64 runs natively (SSE2, NEON), so no dispatch by CPU is needed.
 */
#ifndef VP_LANES_H
#define VP_LANES_H

#include <string.h>

#define N_LANES 4u

typedef float lanes __attribute__((vector_size(16)));

static inline lanes lanes_fill(float x)
{
    return (lanes){x, x, x, x};
}

static inline lanes lanes_load(const float *from) /* [N_LANES], aligned or not */
{
    lanes x;
    memcpy(&x, from, sizeof x);
    return x;
}

/* Two doubles side by side. */
typedef double wide_lanes __attribute__((vector_size(16)));

/* What comparing two lanes gives: all bits set where it holds. */
typedef int lanes_mask __attribute__((vector_size(16)));

static inline lanes lanes_abs(lanes x)
{
    return (lanes)((lanes_mask)x & 0x7fffffff);
}

static inline lanes lanes_select(lanes_mask where, lanes yes, lanes no)
{
    return (lanes)((where & (lanes_mask)yes) | (~where & (lanes_mask)no));
}

#endif
