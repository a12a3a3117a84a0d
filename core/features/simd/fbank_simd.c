/*
 * The front end in vectors of doubles, half as many lanes as floats. One source, one object for
 * each instruction set; the plain object, of two lanes, is what every CPU of the family runs: SSE2,
 * or NEON on ARM64.
 *
 * A real transform of 512 by a complex one of 256: z[n] = x[2n] + i x[2n+1], radix 4, decimation
 * in frequency, in place. The spectrum comes out in digit-reversed order, which costs nothing:
 * the last step looks its bins up.
 */
#include "base/vec.h"
#include "features/fbank_kernel.h"

#define N           (LANES / 2)
#define N_COMPLEX   (RFFT_N / 2) /* 4^4 */
#define SCALE       32768.0      /* Kaldi features are those of 16-bit integers */
#define PREEMPHASIS 0.97

typedef double frames __attribute__((vector_size(N * sizeof(double)), may_alias));
typedef float samples __attribute__((vector_size(N * sizeof(float))));

/* Half the scale, because the transform gives four times the power. Four sums, because one would
 * wait for each addition in turn. */
static void k_window(const double *window, const float *const *in, double *signal)
{
    frames *x = (frames *)(void *)signal, sums[4] = {{0.0}};
    for (size_t i = 0; i < FBANK_FRAME_SAMPLES; i += 4)
#pragma GCC unroll 4
        for (size_t j = 0; j < 4; j++) {
            samples s = {0.0F};
#pragma GCC unroll 8
            for (size_t l = 0; l < N; l++)
                s[l] = in[l][i + j];
            x[i + j] = __builtin_convertvector(s, frames);
            sums[j] += x[i + j];
        }
    const frames mean = (sums[0] + sums[1] + sums[2] + sums[3]) / FBANK_FRAME_SAMPLES;
    frames previous = x[0] - mean;
    for (size_t i = 0; i < FBANK_FRAME_SAMPLES; i++) {
        const frames sample = x[i] - mean;
        x[i] = (sample - PREEMPHASIS * previous) * (SCALE / 2.0 * window[i]);
        previous = sample;
    }
    for (size_t i = FBANK_FRAME_SAMPLES; i < RFFT_N; i++)
        x[i] = (frames){0.0};
}

struct k_complex {
    frames re, im;
};

INLINE struct k_complex k_times(struct k_complex a, struct rfft_bin w)
{
    return (struct k_complex){a.re * w.re - a.im * w.im, a.re * w.im + a.im * w.re};
}

/* One pass: blocks of n points become four blocks of n / 4, twiddled. Blocks are the inner loop,
 * so that twiddles are loaded once. */
INLINE void k_radix4_pass(const struct rfft_plan *plan, struct k_complex *z, size_t n)
{
    const size_t quarter = n / 4, step = RFFT_N / n;
    for (size_t j = 0; j < quarter; j++) {
        const struct rfft_bin w1 = plan->twiddle[step * j], w2 = plan->twiddle[2 * step * j],
                              w3 = plan->twiddle[3 * step * j];
        for (size_t block = j; block < N_COMPLEX; block += n) {
            struct k_complex *a = z + block, *b = a + quarter, *c = b + quarter, *d = c + quarter;
            const struct k_complex sum_ac = {a->re + c->re, a->im + c->im};
            const struct k_complex dif_ac = {a->re - c->re, a->im - c->im};
            const struct k_complex sum_bd = {b->re + d->re, b->im + d->im};
            const struct k_complex rot_bd = {b->im - d->im, d->re - b->re}; /* -i (b - d) */
            *a = (struct k_complex){sum_ac.re + sum_bd.re, sum_ac.im + sum_bd.im};
            *b = k_times((struct k_complex){dif_ac.re + rot_bd.re, dif_ac.im + rot_bd.im}, w1);
            *c = k_times((struct k_complex){sum_ac.re - sum_bd.re, sum_ac.im - sum_bd.im}, w2);
            *d = k_times((struct k_complex){dif_ac.re - rot_bd.re, dif_ac.im - rot_bd.im}, w3);
        }
    }
}

INLINE frames k_square(frames re, frames im)
{
    return re * re + im * im;
}

static void k_power(const struct rfft_plan *plan, double *signal, double *out)
{
    struct k_complex *z = (struct k_complex *)(void *)signal; /* [256] */
    frames *power = (frames *)(void *)out;
    for (size_t n = N_COMPLEX; n > 1; n /= 4)
        k_radix4_pass(plan, z, n);

    /* 2 X[k] = (Z[k] + conj Z[256-k]) - i exp(-2 pi i k / 512) (Z[k] - conj Z[256-k]);
     * its mirror 2 X[256-k] is the conjugate with the sign of the second term turned. */
    power[0] = 4.0 * (z[0].re + z[0].im) * (z[0].re + z[0].im);
    power[N_COMPLEX] = 4.0 * (z[0].re - z[0].im) * (z[0].re - z[0].im);
    for (size_t k = 1; k <= N_COMPLEX / 2; k++) {
        const struct k_complex p = z[plan->order[k]], q = z[plan->order[N_COMPLEX - k]];
        const struct k_complex even = {p.re + q.re, p.im - q.im};
        const struct k_complex odd =
            k_times((struct k_complex){p.im + q.im, q.re - p.re}, plan->twiddle[k]);
        power[k] = k_square(even.re + odd.re, even.im + odd.im);
        power[N_COMPLEX - k] = k_square(even.re - odd.re, even.im - odd.im);
    }
}

static void k_mel(const struct mel_bank *mel, const double *in, float *energies)
{
    const frames *power = (const frames *)(const void *)in;
    for (size_t m = 0; m < mel->n_mels; m++) {
        const struct mel_filter *filter = &mel->filters[m];
        frames energy = {0.0};
        for (size_t k = 0; k < filter->n_bins; k++)
            energy += (double)filter->weights[k] * power[filter->first_bin + k];
        for (size_t l = 0; l < N; l++)
            energies[l * mel->n_mels + m] = (float)energy[l];
    }
}

const struct fbank_kernel KERNEL = {.lanes = N, .window = k_window, .power = k_power, .mel = k_mel};
