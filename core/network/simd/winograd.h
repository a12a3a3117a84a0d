/*
 * Winograd's minimal filtering in one dimension: n outputs of a 3-tap filter from as many products
 * as inputs. In two dimensions the transforms are applied along time, then along frequency.
 *
 *   F(n, 3):  out = At [ (G w) . (Bt in) ]      by interpolation at points a and at infinity:
 *   Bt row of a: coefficients of N(x) / (x - a), N(x) the product over all finite points;
 *   G row of a: (1, a, a^2) / N'(a);  At column of a: 1, a, a^2, ...;  infinity: the last tap,
 *   N(x) itself, and the last output.
 *
 *   point     0   1  -1  infinity   2  -1/2  -2   1/2
 *   K_F2      x   x   x      x                            4 products for 2 outputs
 *   K_F4      x   x   x      x      x    x                6 for 4
 *   K_F5      x   x   x      x      x    x    x           7 for 5
 *   K_F6      x   x   x      x      x    x    x    x      8 for 6
 *   K_S5  stride 2, by phases: out[i] = w0 x[2i] + w2 x[2i+2] + w1 x[2i+1]. The even inputs are a
 *         2-tap filter, F(5, 2) at K_F4's points; the odd ones plain products with w1. 11 for 5.
 *
 * F(n) x F(m) needs (n + 2)(m + 2) products for 9 n m multiplications: 6 x 5 is 4.8 times fewer.
 *
 * A small tile's points are the first of a large one's, and G differs only by a factor for each
 * point. So the same transformed weights serve tiles of every size: a small one leaves out the last
 * planes and has the factors (k_scale) in its inputs. All of them are exact in float.
 */
#ifndef VP_SIMD_WINOGRAD_H
#define VP_SIMD_WINOGRAD_H

#include "base/vec.h"

#include <stdbool.h>

enum k_kind { K_F2, K_F4, K_F5, K_F6, K_S5 };
#define MOST_PRODUCTS 11u

INLINE size_t k_n_out(enum k_kind kind)
{
    return kind == K_F2 ? 2u : kind == K_F4 ? 4u : kind == K_F6 ? 6u : 5u;
}

/* Inputs of a tile, which are as many as its products. */
INLINE size_t k_n_in(enum k_kind kind)
{
    return kind == K_S5 ? 11u : k_n_out(kind) + 2;
}

/* Different weights among the products: the plain products of K_S5 share the last. */
INLINE size_t k_n_weights(enum k_kind kind)
{
    return kind == K_S5 ? 7u : k_n_in(kind);
}

/* Bt of K_F4 on inputs that lie `apart` vectors from each other. */
INLINE void k_input_f4(const vec *x, size_t apart, vec *y)
{
    vec z[4]; /* (x - 2)(x + 1/2) = x^2 - 3/2 x - 1 taken out */
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; i++)
        z[i] = x[(i + 2) * apart] - x[i * apart] - 1.5F * x[(i + 1) * apart];
    const vec w1 = x[3 * apart] - x[apart], w2 = x[4 * apart] - x[2 * apart]; /* x^2 - 1 */
    y[0] = z[2] - z[0];
    y[1] = z[2] + z[1];
    y[2] = z[2] - z[1];
    y[3] = z[3] - z[1];
    y[4] = w2 + 0.5F * w1;
    y[5] = w2 - 2.0F * w1;
}

INLINE void k_input_f5(const vec *x, vec *y)
{
    vec w[6]; /* (x + 1/2) taken out: what is left are 0, 1, -1, 2, -2 */
#pragma GCC unroll 6
    for (size_t i = 0; i < 6; i++)
        w[i] = x[i + 1] + 0.5F * x[i];
    const vec even1 = w[4] - 4.0F * w[2], odd1 = w[3] - 4.0F * w[1];
    const vec even2 = w[4] - w[2], odd2 = w[3] - w[1];
    y[0] = 4.0F * w[0] - 5.0F * w[2] + w[4];
    y[1] = even1 + odd1;
    y[2] = even1 - odd1;
    y[3] = 4.0F * w[1] - 5.0F * w[3] + w[5];
    y[4] = even2 + 2.0F * odd2;
    y[5] = 4.0F * x[1] - 5.0F * x[3] + x[5];
    y[6] = even2 - 2.0F * odd2;
}

INLINE void k_input_f6(const vec *x, vec *y)
{
    const vec even1 = x[2] + x[6] - 4.25F * x[4], odd1 = x[1] + x[5] - 4.25F * x[3];
    const vec even2 = x[6] + 0.25F * x[2] - 1.25F * x[4], odd2 = x[1] - 5.0F * x[3] + 4.0F * x[5];
    const vec even3 = x[6] + 4.0F * x[2] - 5.0F * x[4], odd3 = 4.0F * x[1] - 5.0F * x[3] + x[5];
    y[0] = x[0] - x[6] + 5.25F * (x[4] - x[2]);
    y[1] = even1 + odd1;
    y[2] = even1 - odd1;
    y[3] = x[7] - x[1] + 5.25F * (x[3] - x[5]);
    y[4] = even2 + 0.5F * odd2;
    y[5] = even3 - 0.5F * odd3;
    y[6] = even2 - 0.5F * odd2;
    y[7] = even3 + 0.5F * odd3;
}

/* Bt: inputs of a tile -> one factor for each product. */
INLINE void k_input(enum k_kind kind, const vec *x, vec *y)
{
    if (kind == K_F6) {
        k_input_f6(x, y);
    } else if (kind == K_F5) {
        k_input_f5(x, y);
    } else if (kind == K_F4) {
        k_input_f4(x, 1, y);
    } else if (kind == K_F2) {
        y[0] = x[0] - x[2];
        y[1] = x[2] + x[1];
        y[2] = x[2] - x[1];
        y[3] = x[3] - x[1];
    } else {
        k_input_f4(x, 2, y);
#pragma GCC unroll 5
        for (size_t i = 0; i < 5; i++)
            y[6 + i] = x[2 * i + 1];
    }
}

/* What Bt is multiplied by where the weights are those of K_F6: this kind's G over that one's. */
INLINE float k_scale(enum k_kind kind, size_t product)
{
    static const float f2[] = {1.0F, -2.25F, -2.25F, 1.0F};
    static const float f4[] = {1.0F, 1.5F, -1.5F, 1.0F, 6.0F, -1.5F};
    static const float f5[] = {0.5F, 0.5F, -1.5F, 1.0F, 1.5F, -1.0F, -2.5F};
    return kind == K_F2   ? f2[product]
           : kind == K_F4 ? f4[product]
           : kind == K_F5 ? f5[product]
                          : 1.0F;
}

/* At of K_F4, and of F(5, 2) in K_S5, which has one output more. */
INLINE void k_output_f4(enum k_kind kind, const vec *m, vec *y)
{
    const vec s = m[1] + m[2], d = m[1] - m[2];
    y[0] = m[0] + s + (m[4] + m[5]);
    y[1] = d + 2.0F * m[4] - 0.5F * m[5];
    y[2] = s + 4.0F * m[4] + 0.25F * m[5];
    y[3] = d + 8.0F * m[4] - 0.125F * m[5];
    if (kind == K_F4) {
        y[3] += m[3];
        return;
    }
    y[4] = s + 16.0F * m[4] + 0.0625F * m[5] + m[3];
#pragma GCC unroll 5
    for (size_t i = 0; i < 5; i++)
        y[i] += m[6 + i];
}

/* At: products -> outputs of a tile. */
INLINE void k_output(enum k_kind kind, const vec *m, vec *y)
{
    if (kind == K_F2) {
        y[0] = m[0] + (m[1] + m[2]);
        y[1] = m[3] + (m[1] - m[2]);
        return;
    }
    if (kind == K_F4 || kind == K_S5) {
        k_output_f4(kind, m, y);
        return;
    }
    const vec s1 = m[1] + m[2], d1 = m[1] - m[2], s2 = m[4] + m[6], d2 = m[4] - m[6];
    vec s3 = m[5], d3 = -m[5]; /* of 1/2 and -1/2 */
    if (kind == K_F6) {
        s3 = m[7] + m[5];
        d3 = m[7] - m[5];
    }
    y[0] = m[0] + s1 + s2 + s3;
    y[1] = d1 + 2.0F * d2 + 0.5F * d3;
    y[2] = s1 + 4.0F * s2 + 0.25F * s3;
    y[3] = d1 + 8.0F * d2 + 0.125F * d3;
    y[4] = s1 + 16.0F * s2 + 0.0625F * s3;
    if (kind == K_F5)
        y[4] += m[3];
    else
        y[5] = d1 + 32.0F * d2 + 0.03125F * d3 + m[3];
}

/* G: three taps -> one factor for each different weight. */
INLINE void k_weights(enum k_kind kind, vec w0, vec w1, vec w2, vec *y)
{
    const vec at_2 = w0 + 4.0F * w2 + 2.0F * w1, at_half = w0 + 0.25F * w2 - 0.5F * w1;
    if (kind == K_S5) { /* the 2-tap filter of the even inputs, and the tap of the odd ones */
        y[0] = w0;
        y[1] = (w0 + w2) * (-1.0F / 3.0F);
        y[2] = (w0 - w2) * (1.0F / 3.0F);
        y[3] = w2;
        y[4] = (w0 + 2.0F * w2) * (1.0F / 15.0F);
        y[5] = (w0 - 0.5F * w2) * (-16.0F / 15.0F);
        y[6] = w1;
        return;
    }
    const bool five = kind == K_F5;
    y[0] = w0 * (five ? 0.5F : 1.0F);
    y[1] = (w0 + w2 + w1) * (five ? -1.0F / 9.0F : -2.0F / 9.0F);
    y[2] = (w0 + w2 - w1) * (five ? 1.0F / 3.0F : -2.0F / 9.0F);
    y[3] = w2;
    y[4] = at_2 * (five ? 1.0F / 60.0F : 1.0F / 90.0F);
    y[5] = at_half * (five ? -32.0F / 45.0F : 32.0F / 45.0F);
    y[6] = (w0 + 4.0F * w2 - 2.0F * w1) * (five ? -1.0F / 36.0F : 1.0F / 90.0F);
    if (!five)
        y[7] = (w0 + 0.25F * w2 + 0.5F * w1) * (32.0F / 45.0F);
}

#endif
