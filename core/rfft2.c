/*
 * A real transform of 512 by a complex one of 256: z[n] = x[2n] + i x[2n+1], radix 4, decimation
 * in frequency, in place. The spectrum comes out in digit-reversed order, which costs nothing:
 * the last step looks its bins up.
 */
#include "rfft2.h"

#include <math.h>

#define N_COMPLEX (RFFT2_N / 2) /* 4^4 */
#define PI        3.14159265358979323846

void rfft2_plan_init(struct rfft2_plan *plan)
{
    for (size_t k = 0; k < RFFT2_N; k++) {
        const double angle = -2.0 * PI * (double)k / RFFT2_N;
        plan->twiddle[k] = (struct rfft2_bin){cos(angle), sin(angle)};
    }
    for (size_t k = 0; k < N_COMPLEX; k++)
        plan->order[k] = (uint8_t)((k & 3) << 6 | (k >> 2 & 3) << 4 | (k >> 4 & 3) << 2 | k >> 6);
}

struct complex2 {
    pair re, im;
};

static inline struct complex2 times(struct complex2 a, struct rfft2_bin w)
{
    return (struct complex2){a.re * w.re - a.im * w.im, a.re * w.im + a.im * w.re};
}

/* One pass: blocks of n points become four blocks of n / 4, twiddled. Blocks are the inner loop,
 * so that twiddles are loaded once. */
static void radix4_pass(const struct rfft2_plan *plan, struct complex2 *z, size_t n)
{
    const size_t quarter = n / 4, step = RFFT2_N / n;
    for (size_t j = 0; j < quarter; j++) {
        const struct rfft2_bin w1 = plan->twiddle[step * j], w2 = plan->twiddle[2 * step * j],
                               w3 = plan->twiddle[3 * step * j];
        for (size_t block = j; block < N_COMPLEX; block += n) {
            struct complex2 *a = z + block, *b = a + quarter, *c = b + quarter, *d = c + quarter;
            const struct complex2 sum_ac = {a->re + c->re, a->im + c->im};
            const struct complex2 dif_ac = {a->re - c->re, a->im - c->im};
            const struct complex2 sum_bd = {b->re + d->re, b->im + d->im};
            const struct complex2 rot_bd = {b->im - d->im, d->re - b->re}; /* -i (b - d) */
            *a = (struct complex2){sum_ac.re + sum_bd.re, sum_ac.im + sum_bd.im};
            *b = times((struct complex2){dif_ac.re + rot_bd.re, dif_ac.im + rot_bd.im}, w1);
            *c = times((struct complex2){sum_ac.re - sum_bd.re, sum_ac.im - sum_bd.im}, w2);
            *d = times((struct complex2){dif_ac.re - rot_bd.re, dif_ac.im - rot_bd.im}, w3);
        }
    }
}

static inline pair square(pair re, pair im)
{
    return re * re + im * im;
}

void rfft2_power(const struct rfft2_plan *plan, pair *restrict signal, pair *restrict power)
{
    struct complex2 *z = (struct complex2 *)(void *)signal; /* [256] */
    for (size_t n = N_COMPLEX; n > 1; n /= 4)
        radix4_pass(plan, z, n);

    /* 2 X[k] = (Z[k] + conj Z[256-k]) - i exp(-2 pi i k / 512) (Z[k] - conj Z[256-k]);
     * its mirror 2 X[256-k] is the conjugate with the sign of the second term turned. */
    power[0] = 4.0 * (z[0].re + z[0].im) * (z[0].re + z[0].im);
    power[N_COMPLEX] = 4.0 * (z[0].re - z[0].im) * (z[0].re - z[0].im);
    for (size_t k = 1; k <= N_COMPLEX / 2; k++) {
        const struct complex2 p = z[plan->order[k]], q = z[plan->order[N_COMPLEX - k]];
        const struct complex2 even = {p.re + q.re, p.im - q.im};
        const struct complex2 odd =
            times((struct complex2){p.im + q.im, q.re - p.re}, plan->twiddle[k]);
        power[k] = square(even.re + odd.re, even.im + odd.im);
        power[N_COMPLEX - k] = square(even.re - odd.re, even.im - odd.im);
    }
}
