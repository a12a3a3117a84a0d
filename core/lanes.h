/*
 * Four floats side by side, one of each of four signals or frames: GCC vector extensions, which
 * every x86-64 and ARM64 runs natively (SSE2, NEON), so no dispatch by CPU is needed.
 */
#ifndef VP_LANES_H
#define VP_LANES_H

#include <stdint.h>

#define N_LANES 4u

typedef float lanes __attribute__((vector_size(16)));
typedef int32_t lanes_int __attribute__((vector_size(16)));

static inline lanes lanes_fill(float x)
{
    return (lanes){x, x, x, x};
}

/* Where a > b: a, elsewhere b. */
static inline lanes lanes_max(lanes a, lanes b)
{
    const lanes_int greater = a > b;
    return (lanes)(((lanes_int)a & greater) | ((lanes_int)b & ~greater));
}

/*
 * Natural logarithm of positive, normal, finite numbers; relative error below 3e-7.
 *
 *   x = m 2^e with m in [sqrt(1/2), sqrt(2));  s = (m - 1) / (m + 1);
 *   ln x = e ln 2 + 2 atanh(s),  atanh(s) = s + s^3/3 + s^5/5 + ...
 *
 * |s| < 0.172, so that the first term left out is below 2e-9 of the whole.
 */
static inline lanes lanes_log(lanes x)
{
    const lanes_int bits = (lanes_int)x;
    const lanes_int exponent = (bits - 0x3f3504f3) >> 23; /* the bits of sqrt(1/2) */
    const lanes m = (lanes)(bits - (exponent << 23));
    const lanes s = (m - 1.0F) / (m + 1.0F), z = s * s;
    const lanes series = 1.0F / 3.0F + z * (1.0F / 5.0F + z * (1.0F / 7.0F + z * (1.0F / 9.0F)));
    return __builtin_convertvector(exponent, lanes) * 0.69314718F + 2.0F * (s + s * z * series);
}

#endif
