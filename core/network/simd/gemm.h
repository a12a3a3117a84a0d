/*
 * The micro-kernel: rows of V times one panel of weights, 2 LANES output channels wide.
 *
 *   m[j][r][l] = sum over c of v(r, c) * u[c][j][l]        j = 0, 1
 *
 *   V  v(r, c) at v + (c / LANES) * v_block + r * v_row + c % LANES: a row is a tile (or a
 *      frequency), its channels lie in blocks of LANES as in a frame
 *   U  [n_blocks * LANES][2][LANES], read linearly
 *   M  [2] at distance m_block, [n_rows][LANES]
 *
 * Up to MOST_ROWS rows at a time keep their sums in registers: with 32 of them 14 rows make 28
 * sums, 2 hold weights and 1 the broadcast input; with 16 registers 6 rows make 12. NEON has 32,
 * and multiplies by one element of a register: four inputs of a row are loaded at once and stay, so
 * that 8 rows make 16 sums, 8 hold inputs and 2 weights. Each sum is one chain over c, whatever the
 * rows beside it: how rows are split changes no bit.
 */
#ifndef VP_SIMD_GEMM_H
#define VP_SIMD_GEMM_H

#include "base/vec.h"
#include "network/conv.h"

#include <stdint.h>

#define PANEL (2u * LANES)
#if LANES == 16
#define MOST_ROWS 14u
#elif LANES == 8
#define MOST_ROWS 6u
#else
#define MOST_ROWS 8u
#endif
#define CACHE_LINE 64u /* bytes */
/* Steps over c in which the weights move on by a line, and one more of each is asked for. */
#define STEPS_A_LINE                                                                               \
    (PANEL * sizeof(float) < CACHE_LINE ? CACHE_LINE / (PANEL * sizeof(float)) : 1u)

/* Memory that is asked for ahead, a piece in each step of the micro-kernel: addresses, not
 * pointers, because they run past the end of what they lie in, and begin at none. */
struct k_ahead {
    uintptr_t at, end;
    size_t step; /* bytes */
};

struct k_gemm {
    const float *v;
    size_t v_block, v_row;               /* floats */
    size_t n_calls, call_rows, n_larger; /* set by k_set_rows */
    size_t n_blocks;
    const float *u;
    float *m;
    size_t m_block; /* floats */
    /* What will be touched soon and lies far away: weights and frames. One cache line of each is
     * asked for in every step over c, or in every STEPS_A_LINE of them. Of the frames, the rows
     * that the outputs of this panel go to and what is added to them. */
    struct k_ahead weights, frames;
    const struct conv_frames *touched; /* or NULL */
    size_t n_touched;                  /* frames of them that were asked for, residuals last */
    size_t rows_at, n_rows_floats;     /* where the rows lie in a frame, and how many floats */
};

INLINE void k_rows(const struct k_gemm *g, size_t n_rows, size_t v_row, const float *v, float *m)
{
    uintptr_t weights = g->weights.at, frames = g->frames.at;
    const size_t weights_step = g->weights.step, frames_step = g->frames.step;
    vec sum[MOST_ROWS][2];
    const float *u = g->u;
#pragma GCC unroll 14
    for (size_t r = 0; r < n_rows; r++)
        sum[r][0] = sum[r][1] = (vec){0};
    for (size_t b = 0; b < g->n_blocks; b++, v += g->v_block) {
#if LANES == 4
        vec row[MOST_ROWS];
#pragma GCC unroll 14
        for (size_t r = 0; r < n_rows; r++)
            row[r] = k_load(v + r * v_row);
#pragma GCC unroll 4
#else
#pragma GCC unroll 2
#endif
        for (size_t c = 0; c < LANES; c++, u += PANEL) {
            const vec u0 = k_load(u), u1 = k_load(u + LANES);
            if (c % STEPS_A_LINE == 0) {
                __builtin_prefetch((const void *)weights, 0, 2);
                if (LANES == 16) /* two lines are a step of this panel */
                    __builtin_prefetch((const void *)(weights + weights_step / 2), 0, 2);
                __builtin_prefetch((const void *)frames, 0, 2);
                weights += weights_step;
                frames += frames_step;
            }
#pragma GCC unroll 14
            for (size_t r = 0; r < n_rows; r++) {
#if LANES == 4
                const vec x = k_fill(row[r][c]);
#else
                const vec x = k_fill(v[r * v_row + c]);
#endif
                sum[r][0] += x * u0;
                sum[r][1] += x * u1;
            }
        }
    }
#pragma GCC unroll 14
    for (size_t r = 0; r < n_rows; r++) {
        k_store(m + r * LANES, sum[r][0]);
        k_store(m + g->m_block + r * LANES, sum[r][1]);
    }
}

typedef void k_rows_function(const struct k_gemm *g, const float *v, float *m);

/* One function for each number of rows, for neighbouring rows and for every other row. */
#define ROWS(n)                                                                                    \
    static void k_rows_##n(const struct k_gemm *g, const float *v, float *m)                       \
    {                                                                                              \
        k_rows(g, n, LANES, v, m);                                                                 \
    }                                                                                              \
    static void k_rows_apart_##n(const struct k_gemm *g, const float *v, float *m)                 \
    {                                                                                              \
        k_rows(g, n, 2 * LANES, v, m);                                                             \
    }
ROWS(1)
ROWS(2)
ROWS(3)
ROWS(4)
ROWS(5)
ROWS(6)
#if LANES != 8
ROWS(7)
ROWS(8)
#endif
#if LANES == 16
ROWS(9)
ROWS(10)
ROWS(11)
ROWS(12)
ROWS(13)
ROWS(14)
#endif

static k_rows_function *const k_rows_near[MOST_ROWS + 1] = {
    NULL,     k_rows_1,  k_rows_2,  k_rows_3,  k_rows_4,  k_rows_5,  k_rows_6,
#if LANES != 8
    k_rows_7, k_rows_8,
#endif
#if LANES == 16
    k_rows_9, k_rows_10, k_rows_11, k_rows_12, k_rows_13, k_rows_14,
#endif
};
static k_rows_function *const k_rows_apart[MOST_ROWS + 1] = {
    NULL,
    k_rows_apart_1,
    k_rows_apart_2,
    k_rows_apart_3,
    k_rows_apart_4,
    k_rows_apart_5,
    k_rows_apart_6,
#if LANES != 8
    k_rows_apart_7,
    k_rows_apart_8,
#endif
#if LANES == 16
    k_rows_apart_9,
    k_rows_apart_10,
    k_rows_apart_11,
    k_rows_apart_12,
    k_rows_apart_13,
    k_rows_apart_14,
#endif
};

/* Splits n_rows into calls of nearly equal size, the first n_larger of them one row larger. */
static inline void k_set_rows(struct k_gemm *g, size_t n_rows)
{
    g->n_calls = (n_rows + MOST_ROWS - 1) / MOST_ROWS;
    g->call_rows = n_rows / g->n_calls;
    g->n_larger = n_rows % g->n_calls;
}

/* Bytes to move on in each of the steps to come, `most` or none at the end. */
static inline void k_set_step(struct k_ahead *ahead, size_t most)
{
    ahead->step = ahead->at < ahead->end ? most : 0u;
}

/* Once a frame has been asked for, the next. */
static inline void k_next_frame(struct k_gemm *g)
{
    const size_t n = g->touched != NULL ? g->touched->n : 0, i = g->n_touched;
    if (g->frames.at < g->frames.end || i >= (n > 0 && g->touched->residual != NULL ? 2 * n : n))
        return;
    const float *frame = i < n ? g->touched->out[i] : g->touched->residual[i - n];
    g->frames.at = (uintptr_t)(frame + g->rows_at);
    g->frames.end = (uintptr_t)(frame + g->rows_at + g->n_rows_floats);
    g->n_touched++;
}

/* v_row is LANES or 2 LANES; k_set_rows was called. Moves what is asked for ahead on. */
static inline void k_gemm(struct k_gemm *g)
{
    k_rows_function *const *rows = g->v_row == LANES ? k_rows_near : k_rows_apart;
    const float *v = g->v;
    float *m = g->m;
    for (size_t i = 0; i < g->n_calls; i++) { /* of nearly equal size */
        const size_t n_rows = i < g->n_larger ? g->call_rows + 1 : g->call_rows;
        k_next_frame(g);
        k_set_step(&g->weights, LANES == 16 && g->n_calls == 1 ? 2 * CACHE_LINE : CACHE_LINE);
        k_set_step(&g->frames, CACHE_LINE);
        rows[n_rows](g, v, m);
        v += n_rows * g->v_row;
        m += n_rows * LANES;
        const size_t n_steps = g->n_blocks * LANES / STEPS_A_LINE;
        g->weights.at += g->weights.step * n_steps;
        g->frames.at += g->frames.step * n_steps;
    }
}

#endif
