/*
 * Functions of a vec (vec.h), lane by lane: exp, sigmoid and tanh are within a few units of 1e-7 of
 * the true value; NaN comes through.
 */
#ifndef VP_SIMD_VEC_MATH_H
#define VP_SIMD_VEC_MATH_H

#include "base/vec.h"

typedef uint32_t vec_words __attribute__((vector_size(LANES * sizeof(float)), may_alias));

INLINE vec k_select(vec_bits mask, vec yes, vec no)
{
    return (vec)(((vec_bits)yes & mask) | ((vec_bits)no & ~mask));
}

/* NaN on either side: a. */
INLINE vec k_max(vec a, vec b)
{
    return k_select((vec_bits)(b > a), b, a);
}

/* exp(x) = 2^n exp(r), |r| <= ln 2 / 2, by Taylor's polynomial of degree 7. Beyond +-87 it stays at
 * its largest and smallest. */
INLINE vec k_exp(vec x)
{
    const vec magic = k_fill(12582912.0F); /* 1.5 * 2^23: the sum's last bits are a whole number */
    x = k_select((vec_bits)(x > k_fill(87.0F)), k_fill(87.0F), x);
    x = k_select((vec_bits)(x < k_fill(-87.0F)), k_fill(-87.0F), x);
    const vec shifted = x * k_fill(1.44269504F) + magic;
    const vec n = shifted - magic;
    const vec r = x - n * k_fill(0.693359375F) + n * k_fill(2.12194440e-4F); /* ln 2 in two */
    vec sum = k_fill(1.0F / 5040.0F);
    sum = sum * r + k_fill(1.0F / 720.0F);
    sum = sum * r + k_fill(1.0F / 120.0F);
    sum = sum * r + k_fill(1.0F / 24.0F);
    sum = sum * r + k_fill(1.0F / 6.0F);
    sum = sum * r + k_fill(0.5F);
    sum = sum * r + k_fill(1.0F);
    sum = sum * r + k_fill(1.0F);
    return (vec)((vec_words)sum + ((vec_words)shifted << 23));
}

INLINE vec k_sigmoid(vec x)
{
    return k_fill(1.0F) / (k_fill(1.0F) + k_exp(-x));
}

INLINE vec k_tanh(vec x)
{
    return k_fill(1.0F) - k_fill(2.0F) / (k_fill(1.0F) + k_exp(x + x));
}

#endif
