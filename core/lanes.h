/*
 * Four floats side by side, one of each of four signals: GCC vector extensions, which every
 * x86-64 and ARM64 runs natively (SSE2, NEON), so no dispatch by CPU is needed.
 */
#ifndef VP_LANES_H
#define VP_LANES_H

#define N_LANES 4u

typedef float lanes __attribute__((vector_size(16)));

static inline lanes lanes_fill(float x)
{
    return (lanes){x, x, x, x};
}

#endif
