/*
 * 3x3 convolutions, stride 1 and 2, by Winograd's filtering in two dimensions.
 *
 * A tile is n(kt) output frames by n(kf) output rows. A group is all frequency tiles of a few
 * tiles in time, G in all, chosen so that what a panel reads again stays in the second-level cache.
 *
 *   V [P][C / L][G][L]      transformed inputs, P = products of a tile, L = LANES
 *   U [planes of kf][C][2 L]  transformed weights of one row of planes, for one panel of outputs
 *   M [P][2][G][L]          products, for one panel
 *
 * Planes lie an odd number of vectors apart: at a multiple of 4096 bytes all of them would fall
 * into the same lines of the first-level cache.
 *
 * Transformed weights are 6.2 times the plain ones: 113 MB for the published model, more than a
 * third-level cache holds, so that reading them would cost more than the products. Where they are
 * large (KEEP_MOST) only the plain weights are kept, 26 MB, and every group transforms them anew,
 * panel by panel and row by row, into a U that never leaves the second-level cache.
 *
 *   kept whole   [panel][plane of kt][plane of kf][C][2 L]
 *   kept plain   [panel][C][2][3 time][3 frequency][L]
 */
#ifndef VP_SIMD_CONV_WINOGRAD_H
#define VP_SIMD_CONV_WINOGRAD_H

#include "gemm.h"
#include "kernels/conv.h"
#include "winograd.h"

#include <string.h>

#define KEEP_MOST 64u /* channels, input and output */

/* The two-dimensional transforms of one pair of kinds. */
struct k_pair {
    enum k_kind kt, kf;
    void (*input)(const float *const *in, size_t offset, float *v, size_t plane);
    void (*output)(const float *m, size_t plane, const vec *bias, const float *const *residual,
                   float *const *out, size_t offset, size_t n_t, size_t n_f, bool relu);
    void (*weights)(size_t row, const float *plain, size_t n_in, float *u, size_t plane);
};

/* One tile of one channel block; in[0] is its first frame, offset its first row there. */
INLINE void k_input_tile(enum k_kind kt, enum k_kind kf, const float *const *in, size_t offset,
                         float *v, size_t plane)
{
    vec half[MOST_PRODUCTS][MOST_PRODUCTS], x[MOST_PRODUCTS], y[MOST_PRODUCTS];
    for (size_t f = 0; f < k_n_in(kf); f++) {
#pragma GCC unroll 11
        for (size_t t = 0; t < k_n_in(kt); t++)
            x[t] = k_load(in[t] + offset + f * LANES);
        k_input(kt, x, y);
#pragma GCC unroll 11
        for (size_t t = 0; t < k_n_in(kt); t++)
            half[t][f] = y[t];
    }
    for (size_t t = 0; t < k_n_in(kt); t++) {
        k_input(kf, half[t], y);
#pragma GCC unroll 11
        for (size_t f = 0; f < k_n_in(kf); f++, v += plane)
            k_store(v, y[f]);
    }
}

/* One tile of one channel block: n_t frames and n_f rows of it are inside the clip. */
INLINE void k_output_tile(enum k_kind kt, enum k_kind kf, const float *m, size_t plane,
                          const vec *bias, const float *const *residual, float *const *out,
                          size_t offset, size_t n_t, size_t n_f, bool relu)
{
    vec half[MOST_PRODUCTS][MOST_PRODUCTS], x[MOST_PRODUCTS], y[MOST_PRODUCTS];
    for (size_t f = 0; f < k_n_in(kf); f++) {
#pragma GCC unroll 11
        for (size_t t = 0; t < k_n_in(kt); t++)
            x[t] = k_load(m + (t * k_n_in(kf) + f) * plane);
        k_output(kt, x, y);
#pragma GCC unroll 6
        for (size_t t = 0; t < k_n_out(kt); t++)
            half[t][f] = y[t];
    }
    for (size_t t = 0; t < n_t; t++) {
        k_output(kf, half[t], y);
        float *row = out[t] + offset;
#pragma GCC unroll 5
        for (size_t f = 0; f < k_n_out(kf); f++) {
            if (f >= n_f)
                break;
            vec z = y[f] + *bias;
            if (residual != NULL)
                z += k_load(residual[t] + offset + f * LANES);
            k_store(row + f * LANES, relu ? k_relu(z) : z);
        }
    }
}

/*
 * One row of weight planes of one panel: plain [C][2][3 time][3 frequency][L] -> u [planes of kf],
 * `plane` floats apart, [C][2 L]. row is a constant where this is inlined, so that of the transform
 * along time only that row is computed.
 */
INLINE void k_weight_row(enum k_kind kt, enum k_kind kf, size_t row, const float *plain,
                         size_t n_in, float *u, size_t plane)
{
    for (size_t i = 0; i < 2 * n_in; i++) {
        const float *taps = plain + i * 9 * LANES;
        vec half[3], y[8] = {0};
#pragma GCC unroll 3
        for (size_t f = 0; f < 3; f++) {
            k_weights(kt, k_load(taps + f * LANES), k_load(taps + (3 + f) * LANES),
                      k_load(taps + (6 + f) * LANES), y);
            half[f] = y[row];
        }
        k_weights(kf, half[0], half[1], half[2], y);
#pragma GCC unroll 8
        for (size_t j = 0; j < k_n_weights(kf); j++)
            k_store(u + j * plane + i * LANES, y[j]);
    }
}

#define ROW(row)                                                                                   \
    case row:                                                                                      \
        k_weight_row(kt, kf, row, plain, n_in, u, plane);                                          \
        break

INLINE void k_weight_rows(enum k_kind kt, enum k_kind kf, size_t row, const float *plain,
                          size_t n_in, float *u, size_t plane)
{
    switch (row) {
        ROW(0);
        ROW(1);
        ROW(2);
        ROW(3);
        ROW(4);
        ROW(5);
        ROW(6);
        ROW(7);
    }
}

#define PAIR(name, time, frequency)                                                                \
    static void k_input_##name(const float *const *in, size_t offset, float *v, size_t plane)      \
    {                                                                                              \
        k_input_tile(time, frequency, in, offset, v, plane);                                       \
    }                                                                                              \
    static void k_output_##name(const float *m, size_t plane, const vec *bias,                     \
                                const float *const *residual, float *const *out, size_t offset,    \
                                size_t n_t, size_t n_f, bool relu)                                 \
    {                                                                                              \
        k_output_tile(time, frequency, m, plane, bias, residual, out, offset, n_t, n_f, relu);     \
    }                                                                                              \
    static void k_weights_##name(size_t row, const float *plain, size_t n_in, float *u,            \
                                 size_t plane)                                                     \
    {                                                                                              \
        k_weight_rows(time, frequency, row, plain, n_in, u, plane);                                \
    }
PAIR(f6f5, K_F6, K_F5)
PAIR(f4f5, K_F4, K_F5)
PAIR(s5s5, K_S5, K_S5)

static const struct k_pair k_f6f5 = {K_F6, K_F5, k_input_f6f5, k_output_f6f5, k_weights_f6f5};
static const struct k_pair k_f4f5 = {K_F4, K_F5, k_input_f4f5, k_output_f4f5, k_weights_f4f5};
static const struct k_pair k_s5s5 = {K_S5, K_S5, k_input_s5s5, k_output_s5s5, k_weights_s5s5};

static const struct k_pair *k_pair_of(const struct conv *conv)
{
    return conv->stride == 2 ? &k_s5s5 : conv->n_in > 128 ? &k_f4f5 : &k_f6f5;
}

static bool k_keeps_whole(const struct conv *conv)
{
    return conv->n_in <= KEEP_MOST && conv->n_out <= KEEP_MOST;
}

static size_t k_divide_up(size_t a, size_t b)
{
    return (a + b - 1) / b;
}

/* Tiles of a full group: enough to pay for reading the weights, few enough for the cache. */
static size_t k_group(const struct conv *conv)
{
    return conv->stride == 2  ? (conv->n_in > 64 ? 32u : 16u)
           : conv->n_in > 128 ? 40u
           : conv->n_in > 64  ? 56u
                              : 32u;
}

struct k_sizes {
    size_t n_products, n_weights; /* of a tile */
    size_t n_f_tiles, n_panels, n_in;
    size_t u_plane;          /* floats from weight plane to weight plane */
    size_t v_plane, m_plane; /* floats from product to product, for n_tiles tiles */
};

static struct k_sizes k_sizes_of(const struct conv *conv, const struct k_pair *pair, size_t n_tiles)
{
    return (struct k_sizes){
        .n_products = k_n_in(pair->kt) * k_n_in(pair->kf),
        .n_weights = k_n_weights(pair->kt) * k_n_weights(pair->kf),
        .n_f_tiles = k_divide_up(conv->out.n_freq, k_n_out(pair->kf)),
        .n_panels = k_divide_up(conv->n_out, PANEL),
        .n_in = conv->in.n_blocks * LANES,
        .u_plane = conv->in.n_blocks * LANES * PANEL + LANES,
        .v_plane = (conv->in.n_blocks * n_tiles | 1u) * LANES,
        .m_plane = (2 * n_tiles | 1u) * LANES,
    };
}

/* Panel p of [K, C, frequency, time] -> [C][2][time][frequency][L]. */
static void k_pack_panel(const struct net_conv *net, size_t p, float *out)
{
    const size_t side = net->kernel, n_taps = side * side;
    for (size_t c = 0; c < net->n_in; c++)
        for (size_t k = 0; k < PANEL && p * PANEL + k < net->n_out; k++) {
            const float *taps = net->weight + ((p * PANEL + k) * net->n_in + c) * n_taps;
            for (size_t i = 0; i < side; i++)
                for (size_t j = 0; j < side; j++)
                    out[((2 * c + k / LANES) * n_taps + j * side + i) * LANES + k % LANES] =
                        taps[i * side + j];
        }
}

static bool k_winograd_plan(struct conv *conv)
{
    const struct k_pair *pair = k_pair_of(conv);
    struct k_sizes s = k_sizes_of(conv, pair, 1);
    const size_t n_t_tiles = k_divide_up(k_group(conv), s.n_f_tiles);
    s = k_sizes_of(conv, pair, n_t_tiles * s.n_f_tiles);
    conv->tile = conv->grain = k_n_out(pair->kt);
    conv->most = n_t_tiles * conv->tile;
    size_t n_panel, n_v, n_m;
    if (!size_multiply(s.n_in, k_keeps_whole(conv) ? 0 : 9 * PANEL, &n_panel) ||
        !size_multiply(s.n_panels, n_panel + (k_keeps_whole(conv) ? s.n_weights * s.u_plane : 0),
                       &conv->n_weights) ||
        !size_multiply(s.n_products, s.v_plane, &n_v) ||
        !size_multiply(s.n_products, s.m_plane, &n_m))
        return false;
    const size_t n_u = k_n_weights(pair->kf) * s.u_plane;
    return size_add(conv->n_weights, s.n_panels * PANEL, &conv->n_weights) &&
           size_add(n_u, n_v, &conv->scratch_floats) &&
           size_add(conv->scratch_floats, n_m, &conv->scratch_floats);
}

static void k_winograd_pack(const struct conv *conv, const struct net_conv *net)
{
    const struct k_pair *pair = k_pair_of(conv);
    const struct k_sizes s = k_sizes_of(conv, pair, 1);
    const size_t n_rows = k_n_weights(pair->kt), n_plain = s.n_in * 9 * PANEL;
    float *kept = conv->weights + s.n_panels * PANEL;
    memcpy(conv->weights, net->bias, net->n_out * sizeof *net->bias);
    for (size_t p = 0; p < s.n_panels; p++) {
        if (!k_keeps_whole(conv)) {
            k_pack_panel(net, p, kept + p * n_plain);
            continue;
        }
        vec plain[KEEP_MOST * 9 * 2] = {0};
        k_pack_panel(net, p, (float *)plain);
        for (size_t row = 0; row < n_rows; row++, kept += k_n_weights(pair->kf) * s.u_plane)
            pair->weights(row, (const float *)plain, s.n_in, kept, s.u_plane);
    }
}

/* The products that share weight i along one dimension: first, and how many. */
static size_t k_sharing(enum k_kind kind, size_t i)
{
    return kind == K_S5 && i == 6 ? 5u : 1u;
}

/* All products of one panel with one row of weight planes. */
static void k_products_row(const struct k_pair *pair, const struct k_sizes *s, size_t row,
                           const float *v, const float *u, float *m, bool whole, struct k_gemm *g)
{
    for (size_t column = 0; column < k_n_weights(pair->kf); column++) {
        g->u = u + column * s->u_plane;
        if (whole) { /* the next plane */
            g->weights.at = (const char *)(g->u + s->u_plane);
            g->weights.end = (const char *)(g->u + 2 * s->u_plane);
        }
        for (size_t t = row; t < row + k_sharing(pair->kt, row); t++)
            for (size_t f = column; f < column + k_sharing(pair->kf, column); f++) {
                const size_t product = t * k_n_in(pair->kf) + f;
                g->v = v + product * s->v_plane;
                g->m = m + product * s->m_plane;
                k_gemm(g);
            }
    }
}

static void k_outputs(const struct conv *conv, const struct k_pair *pair, const struct k_sizes *s,
                      const struct conv_frames *frames, size_t panel, const float *m)
{
    const size_t n_f = k_n_out(pair->kf), n_tiles = s->m_plane / (2 * LANES); /* rounded down */
    for (size_t j = 0; j < 2 && 2 * panel + j < conv->out.n_blocks; j++) {
        const size_t block = 2 * panel + j;
        const vec bias = k_load(conv->weights + block * LANES);
        for (size_t t = 0, tile = 0; t < frames->n; t += conv->tile)
            for (size_t f = 0; f < conv->out.n_freq; f += n_f, tile++) {
                const size_t left_t = frames->n - t, left_f = conv->out.n_freq - f;
                pair->output(m + (j * n_tiles + tile) * LANES, s->m_plane, &bias,
                             frames->residual != NULL ? frames->residual + t : NULL,
                             frames->out + t, (block * conv->out.n_rows + f + 1) * LANES,
                             left_t < conv->tile ? left_t : conv->tile, left_f < n_f ? left_f : n_f,
                             frames->relu);
            }
    }
}

static void k_winograd_run(const struct conv *conv, const struct conv_frames *frames,
                           float *scratch)
{
    const struct k_pair *pair = k_pair_of(conv);
    const size_t n_f_tiles = k_divide_up(conv->out.n_freq, k_n_out(pair->kf));
    const size_t n_tiles = k_divide_up(frames->n, conv->tile) * n_f_tiles;
    const struct k_sizes s = k_sizes_of(conv, pair, n_tiles);
    const size_t n_rows = k_n_weights(pair->kt), n_u = k_n_weights(pair->kf) * s.u_plane;
    const bool whole = k_keeps_whole(conv);
    const size_t n_panel = whole ? n_rows * n_u : s.n_in * 9 * PANEL; /* floats kept for one */
    float *u = scratch, *v = u + n_u, *m = v + s.n_products * s.v_plane;

    for (size_t t = 0, tile = 0; t < frames->n; t += conv->tile)
        for (size_t f = 0; f < n_f_tiles; f++, tile++)
            for (size_t b = 0; b < conv->in.n_blocks; b++)
                pair->input(frames->in + t * conv->stride,
                            (b * conv->in.n_rows + f * k_n_out(pair->kf) * conv->stride) * LANES,
                            v + (b * n_tiles + tile) * LANES, s.v_plane);

    for (size_t panel = 0; panel < s.n_panels; panel++) {
        const float *kept = conv->weights + s.n_panels * PANEL + panel * n_panel;
        struct k_gemm g = {
            .v_block = n_tiles * LANES,
            .v_row = LANES,
            .n_blocks = conv->in.n_blocks,
            .m_block = n_tiles * LANES,
            .weights = {(const char *)(kept + n_panel), (const char *)(kept + 2 * n_panel)},
            .touched = frames,
            .rows_at = 2 * panel * conv->out.n_rows * LANES,
            .n_rows_floats = 2 * conv->out.n_rows * LANES};
        k_set_rows(&g, n_tiles);
        if (panel + 1 == s.n_panels)
            g.weights.end = g.weights.at;
        for (size_t row = 0; row < n_rows; row++) {
            if (!whole)
                pair->weights(row, kept, s.n_in, u, s.u_plane);
            k_products_row(pair, &s, row, v, whole ? kept + row * n_u : u, m, whole, &g);
        }
        k_outputs(conv, pair, &s, frames, panel, m);
    }
}

#endif
