/*
 * The segmentation network's loops in vectors. One source, one object for each instruction set; the
 * plain object, of four lanes, is what every CPU of the family runs: SSE2, or NEON on ARM64.
 */
#include "base/vec_math.h"
#include "segmentation/seg_kernel.h"

/* ---- rows --------------------------------------------------------------------------------- */

static void k_abs_pool(const float *x, size_t n_out, size_t n, float scale, const float *offset,
                       float *out)
{
    const vec_bits no_sign = (vec_bits)k_fill(0.0F) + 0x7fffffff;
    const vec by = k_fill(scale);
    for (size_t t = 0; t < n_out; t++, x += 3 * n, out += n)
        for (size_t c = 0; c < n; c += LANES) {
            const vec o = k_load(offset + c);
            const vec a = (vec)((vec_bits)(k_load(x + c) * by + o) & no_sign);
            const vec b = (vec)((vec_bits)(k_load(x + n + c) * by + o) & no_sign);
            const vec d = (vec)((vec_bits)(k_load(x + 2 * n + c) * by + o) & no_sign);
            k_store(out + c, k_max(k_max(a, b), d));
        }
}

static void k_pool(const float *x, size_t n_out, size_t n, float *out)
{
    for (size_t t = 0; t < n_out; t++, x += 3 * n, out += n)
        for (size_t c = 0; c < n; c += LANES)
            k_store(out + c, k_max(k_max(k_load(x + c), k_load(x + n + c)), k_load(x + 2 * n + c)));
}

static void k_sum(const float *x, size_t n_rows, size_t n, const float *mean, bool squared,
                  float *sums)
{
    for (size_t c = 0; c < n; c += LANES) {
        const vec m = k_load(mean + c);
        vec sum = {0};
        for (size_t t = 0; t < n_rows; t++) {
            const vec d = k_load(x + t * n + c) - m;
            if (squared)
                sum += d * d;
            else
                sum += d;
        }
        k_store(sums + c, sum);
    }
}

static void k_norm(float *x, size_t n_rows, size_t n, const float *gain, const float *offset)
{
    for (size_t t = 0; t < n_rows; t++, x += n)
        for (size_t c = 0; c < n; c += LANES) {
            const vec y = k_load(x + c) * k_load(gain + c) + k_load(offset + c);
            k_store(x + c, k_select((vec_bits)(y < 0.0F), y * k_fill(0.01F), y));
        }
}

/* ---- LSTM --------------------------------------------------------------------------------- */

/*
 * LANES units of n_rows windows: the four gates' sums stay in registers while the recurrence's
 * weights [n_units][4][LANES] are read once.
 */
INLINE void k_units(const struct lstm_step *s, size_t first_row, size_t n_rows, size_t block)
{
    const float *w = s->back + block * s->n_units * 4 * LANES;
    const size_t at = block * 4 * LANES, row_floats = 4 * s->n_units;
    const float *h = s->before + first_row * s->before_row;
    vec sum[4][4];
#pragma GCC unroll 4
    for (size_t r = 0; r < n_rows; r++)
#pragma GCC unroll 4
        for (size_t g = 0; g < 4; g++)
            sum[r][g] = k_load(s->in + (first_row + r) * row_floats + at + g * LANES) +
                        k_load(s->bias + at + g * LANES);
    for (size_t k = 0; k < s->n_units; k++, w += 4 * LANES) {
        const vec w0 = k_load(w), w1 = k_load(w + LANES), w2 = k_load(w + 2 * LANES),
                  w3 = k_load(w + 3 * LANES);
#pragma GCC unroll 4
        for (size_t r = 0; r < n_rows; r++) {
            const vec x = k_fill(h[r * s->before_row + k]);
            sum[r][0] += x * w0;
            sum[r][1] += x * w1;
            sum[r][2] += x * w2;
            sum[r][3] += x * w3;
        }
    }
#pragma GCC unroll 4
    for (size_t r = 0; r < n_rows; r++) {
        float *cell = s->cells + (first_row + r) * s->n_units + block * LANES;
        const vec i = k_sigmoid(sum[r][0]), f = k_sigmoid(sum[r][1]), g = k_tanh(sum[r][2]),
                  o = k_sigmoid(sum[r][3]);
        const vec c = f * k_load(cell) + i * g;
        k_store(cell, c);
        k_store(s->after + (first_row + r) * s->after_row + block * LANES, o * k_tanh(c));
    }
}

/* Rows at a time: as many as leave registers for the weights, 32 or 16 of them. */
#if LANES == 16 || defined(__aarch64__)
#define ROWS_AT_ONCE 4u
#else
#define ROWS_AT_ONCE 2u
#endif

/* before and after may not be the same rows: all units read all of before. */
static void k_lstm(const struct lstm_step *s)
{
    for (size_t block = 0; block < s->n_units / LANES; block++) {
        size_t r = 0;
        for (; r + ROWS_AT_ONCE <= s->n_rows; r += ROWS_AT_ONCE)
            k_units(s, r, ROWS_AT_ONCE, block);
        for (; r < s->n_rows; r++)
            k_units(s, r, 1, block);
    }
}

const struct seg_kernel KERNEL = {.lanes = LANES,
                                  .abs_pool = k_abs_pool,
                                  .pool = k_pool,
                                  .sum = k_sum,
                                  .norm = k_norm,
                                  .lstm = k_lstm};
