/*
 * One vector of LANES floats, by GCC's vector extensions: 16 for AVX-512, 8 for AVX2, 4 for NEON
 * and for SSE2. LANES comes from the command line, with the -march of one object; never wider than
 * the target, because such vectors are lowered to terrible code.
 */
#ifndef VP_SIMD_VEC_H
#define VP_SIMD_VEC_H

#if LANES > 4
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif
#include <stddef.h>
#include <stdint.h>

#define INLINE static inline __attribute__((always_inline))

typedef float vec __attribute__((vector_size(LANES * sizeof(float)), may_alias));
typedef int32_t vec_bits __attribute__((vector_size(LANES * sizeof(float)), may_alias));

/* p is aligned to a whole vector. */
INLINE vec k_load(const float *p)
{
    return *(const vec *)(const void *)p;
}

INLINE void k_store(float *p, vec x)
{
    *(vec *)(void *)p = x;
}

INLINE vec k_fill(float x)
{
    return x - (vec){0};
}

/* Negative numbers become 0; NaN stays, so that nothing hides it: where one operand is NaN the
 * instruction gives the second. */
INLINE vec k_relu(vec x)
{
#if LANES == 16
    return (vec)_mm512_max_ps((__m512)(vec){0}, (__m512)x);
#elif LANES == 8
    return (vec)_mm256_max_ps((__m256)(vec){0}, (__m256)x);
#elif defined(__aarch64__)
    return (vec)vmaxq_f32((float32x4_t)x, vdupq_n_f32(0.0F)); /* NaN on either side gives NaN */
#else
    return (vec)((vec_bits)x & ~(vec_bits)(x < 0.0F));
#endif
}

#endif
