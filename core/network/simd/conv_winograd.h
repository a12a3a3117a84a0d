/*
 * 3x3 convolutions, stride 1 and 2 (of frequency alone too), by Winograd's filtering in two
 * dimensions.
 *
 * A tile is n(kt) output frames by n(kf) output rows. A group is all frequency tiles of a few
 * tiles in time, G in all, chosen so that what a panel reads again stays in the second-level cache.
 *
 *   V [P][C / L][G][L]        transformed inputs, P = products of a tile, L = LANES
 *   U [plane of kt][plane of kf][C][2 L]   transformed weights, for one panel of outputs
 *   M [P][2][G][L]            products, for one panel
 *
 * Planes lie an odd number of vectors apart: at a multiple of 4096 bytes all of them would fall
 * into the same lines of the first-level cache.
 *
 * Transformed weights are 6.2 times the plain ones: 121 MB for the published model, more than a
 * third-level cache holds. Each plane is read once for a group, and while it is used the next is
 * asked for; a group that is too small to cover that time (WORTH_READING) is better cut into small
 * tiles, which use fewer planes.
 */
#ifndef VP_SIMD_CONV_WINOGRAD_H
#define VP_SIMD_CONV_WINOGRAD_H

#include "network/conv.h"
#include "network/simd/gemm.h"
#include "network/simd/winograd.h"

#include <string.h>

/* Measured with `make bench`; tests/bench/RESULTS.md has the figures under the headings named here.
 *
 * "Clips below a quarter of a second": frames of 32 channels (12 of 64, ...) up to which the
 * smallest tiles are taken, because no average over time hides what large tiles round. */
#define FEW_FRAMES 24u
/* "Tiles by the length of the clip": as many tiles take as long as reading a plane of weights from
 * memory. AVX2 takes twice the time for each. */
#define WORTH_READING (LANES == 16 ? 14u : 6u)

/* Where the outputs of one tile go, for one channel block. */
struct k_tile {
    float *const *out;            /* frames, the tile's first one first */
    const float *const *residual; /* the same of what is added; NULL when nothing is */
    size_t offset;                /* of the tile's first row in a frame, floats */
    size_t n_t, n_f;              /* frames and rows of the tile that are inside the clip */
    vec bias;
    bool relu;
};

/* The two-dimensional transforms of one pair of kinds. */
struct k_pair {
    enum k_kind kt, kf;
    void (*input)(const float *const *in, size_t offset, float *v, size_t plane, size_t n_tiles);
    void (*output)(const float *m, size_t plane, const struct k_tile *tile);
};

/*
 * All frequency tiles of one channel block and one tile in time; in[0] is its first frame, offset
 * its first row there. Neighbouring tiles share rows, whose transforms along time are kept.
 */
INLINE void k_input_tiles(enum k_kind kt, enum k_kind kf, const float *const *in, size_t offset,
                          float *v, size_t plane, size_t n_tiles)
{
    const size_t n_rows = kf == K_S5 ? 10u : k_n_out(kf); /* from tile to tile */
    vec half[MOST_PRODUCTS][MOST_PRODUCTS], x[MOST_PRODUCTS], y[MOST_PRODUCTS];
    for (size_t tile = 0; tile < n_tiles; tile++, offset += n_rows * LANES) {
        for (size_t f = tile == 0 ? 0 : k_n_in(kf) - n_rows; f < k_n_in(kf); f++) {
#pragma GCC unroll 11
            for (size_t t = 0; t < k_n_in(kt); t++)
                x[t] = k_load(in[t] + offset + f * LANES);
            k_input(kt, x, y);
#pragma GCC unroll 11
            for (size_t t = 0; t < k_n_in(kt); t++)
                half[t][f] = k_scale(kt, t) * y[t];
        }
        float *product = v + tile * LANES;
        for (size_t t = 0; t < k_n_in(kt); t++) {
            k_input(kf, half[t], y);
#pragma GCC unroll 11
            for (size_t f = 0; f < k_n_in(kf); f++, product += plane)
                k_store(product, y[f]);
            half[t][0] = half[t][n_rows]; /* no loop: it would become a call of memmove */
            if (n_rows + 1 < k_n_in(kf))
                half[t][1] = half[t][n_rows + 1];
        }
    }
}

/* The products of one tile -> its outputs. The tile is copied: `out` might point at it, for all
 * that the compiler knows, and it would be read again behind each store. */
INLINE void k_output_tile(enum k_kind kt, enum k_kind kf, const float *m, size_t plane,
                          const struct k_tile *where)
{
    const struct k_tile tile = *where;
    vec half[MOST_PRODUCTS][MOST_PRODUCTS], x[MOST_PRODUCTS], y[MOST_PRODUCTS];
    for (size_t f = 0; f < k_n_in(kf); f++) {
#pragma GCC unroll 11
        for (size_t t = 0; t < k_n_in(kt); t++) {
            x[t] = k_load(m + (t * k_n_in(kf) + f) * plane);
            __builtin_prefetch(m + (t * k_n_in(kf) + f) * plane + LANES, 0, 3); /* next tile */
        }
        x[1] += f == 1 ? tile.bias : (vec){0}; /* all outputs have a factor of 1 on point 1 */
        k_output(kt, x, y);
#pragma GCC unroll 6
        for (size_t t = 0; t < k_n_out(kt); t++)
            half[t][f] = y[t];
    }
    for (size_t t = 0; t < tile.n_t; t++) {
        k_output(kf, half[t], y);
        float *row = tile.out[t] + tile.offset;
#pragma GCC unroll 5
        for (size_t f = 0; f < k_n_out(kf); f++) {
            if (f >= tile.n_f)
                break;
            vec z = y[f];
            if (tile.residual != NULL)
                z += k_load(tile.residual[t] + tile.offset + f * LANES);
            k_store(row + f * LANES, tile.relu ? k_relu(z) : z);
        }
    }
}

/* The planes of one input channel, 9 taps [time][frequency][L] for L output channels. */
static void k_weight_planes(enum k_kind kt, enum k_kind kf, const vec *taps, float *u, size_t plane)
{
    vec half[3][MOST_PRODUCTS], x[MOST_PRODUCTS] = {0};
    for (size_t f = 0; f < 3; f++)
        k_weights(kt == K_S5 ? kt : K_F6, taps[f], taps[3 + f], taps[6 + f], half[f]);
    for (size_t t = 0; t < k_n_weights(kt); t++) {
        k_weights(kf, half[0][t], half[1][t], half[2][t], x);
        for (size_t f = 0; f < k_n_weights(kf); f++, u += plane)
            k_store(u, x[f]);
    }
}

#define PAIR(name, time, frequency)                                                                \
    static void k_input_##name(const float *const *in, size_t offset, float *v, size_t plane,      \
                               size_t n_tiles)                                                     \
    {                                                                                              \
        k_input_tiles(time, frequency, in, offset, v, plane, n_tiles);                             \
    }                                                                                              \
    static void k_output_##name(const float *m, size_t plane, const struct k_tile *tile)           \
    {                                                                                              \
        k_output_tile(time, frequency, m, plane, tile);                                            \
    }
PAIR(f6f5, K_F6, K_F5)
PAIR(f5f5, K_F5, K_F5)
PAIR(f4f5, K_F4, K_F5)
PAIR(f2f5, K_F2, K_F5)
PAIR(s5s5, K_S5, K_S5)
PAIR(f6s5, K_F6, K_S5)
PAIR(f5s5, K_F5, K_S5)
PAIR(f4s5, K_F4, K_S5)
PAIR(f2s5, K_F2, K_S5)

static const struct k_pair k_f6f5 = {K_F6, K_F5, k_input_f6f5, k_output_f6f5};
static const struct k_pair k_f5f5 = {K_F5, K_F5, k_input_f5f5, k_output_f5f5};
static const struct k_pair k_f4f5 = {K_F4, K_F5, k_input_f4f5, k_output_f4f5};
static const struct k_pair k_f2f5 = {K_F2, K_F5, k_input_f2f5, k_output_f2f5};
static const struct k_pair k_s5s5 = {K_S5, K_S5, k_input_s5s5, k_output_s5s5};
static const struct k_pair k_f6s5 = {K_F6, K_S5, k_input_f6s5, k_output_f6s5};
static const struct k_pair k_f5s5 = {K_F5, K_S5, k_input_f5s5, k_output_f5s5};
static const struct k_pair k_f4s5 = {K_F4, K_S5, k_input_f4s5, k_output_f4s5};
static const struct k_pair k_f2s5 = {K_F2, K_S5, k_input_f2s5, k_output_f2s5};

static const struct k_pair *k_pair_of(const struct conv *conv, size_t tile)
{
    const bool halves = conv->stride == 2; /* the frequencies */
    return conv->time_stride == 2 ? &k_s5s5
           : tile == 6            ? (halves ? &k_f6s5 : &k_f6f5)
           : tile == 5            ? (halves ? &k_f5s5 : &k_f5f5)
           : tile == 4            ? (halves ? &k_f4s5 : &k_f4f5)
           : halves               ? &k_f2s5
                                  : &k_f2f5;
}

static size_t k_divide_up(size_t a, size_t b)
{
    return (a + b - 1) / b;
}

/* Tiles of a full group, of the largest size: enough to pay for reading the weights, few enough
 * that V and M stay in the second-level cache. Found by trying; half as many, and up to twice, cost
 * nothing beyond noise ("Batches of equal length", "Where the time goes"). */
static size_t k_group(const struct conv *conv)
{
    return conv->stride == 2  ? (conv->n_in > 64 ? 32u : 16u)
           : conv->n_in > 128 ? 32u
           : conv->n_in > 64  ? 56u
                              : 32u;
}

struct k_sizes {
    size_t n_products; /* of a tile */
    size_t n_f_tiles, n_panels, n_in;
    size_t u_plane, u_panel; /* floats from weight plane to plane, from panel to panel */
    size_t v_plane, m_plane; /* floats from product to product, for n_tiles tiles */
};

static struct k_sizes k_sizes_of(const struct conv *conv, const struct k_pair *pair, size_t n_tiles)
{
    const struct k_pair *most = k_pair_of(conv, conv->most_tile);
    const size_t u_plane = conv->in.n_blocks * LANES * PANEL + LANES;
    return (struct k_sizes){
        .n_products = k_n_in(pair->kt) * k_n_in(pair->kf),
        .n_f_tiles = k_divide_up(conv->out.n_freq, k_n_out(pair->kf)),
        .n_panels = k_divide_up(conv->n_out, PANEL),
        .n_in = conv->in.n_blocks * LANES,
        .u_plane = u_plane,
        .u_panel = k_n_weights(most->kt) * k_n_weights(most->kf) * u_plane,
        .v_plane = (conv->in.n_blocks * n_tiles | 1u) * LANES,
        .m_plane = (2 * n_tiles | 1u) * LANES,
    };
}

/* Weights [K, C, frequency, time] of one input channel and outputs from k on, in the order
 * [time][frequency][L]; zero beyond the last. */
static void k_taps(const struct net_conv *net, size_t k, size_t c, vec *taps)
{
    const size_t side = net->kernel, n_taps = side * side;
    for (size_t i = 0; i < side; i++)
        for (size_t j = 0; j < side; j++)
            for (size_t l = 0; l < LANES; l++)
                taps[j * side + i][l] =
                    k + l < net->n_out
                        ? net->weight[((k + l) * net->n_in + c) * n_taps + i * side + j]
                        : 0.0F;
}

/* Frames of a call: a whole group, which has fewer tiles where tiles are larger. */
static size_t k_most_frames(const struct conv *conv, size_t tile)
{
    const size_t n_f_tiles = k_divide_up(conv->out.n_freq, 5);
    const size_t n_t_tiles = k_divide_up(k_group(conv), n_f_tiles);
    return n_t_tiles * (conv->most_tile + 2) / (tile + 2) * tile;
}

/* V and M of calls with tiles of this size. */
static bool k_scratch(const struct conv *conv, size_t tile, size_t *n_floats)
{
    const struct k_pair *pair = k_pair_of(conv, tile);
    const size_t n_t_tiles = k_divide_up(k_most_frames(conv, tile), tile);
    const struct k_sizes s = k_sizes_of(conv, pair, n_t_tiles * k_divide_up(conv->out.n_freq, 5));
    size_t n_v, n_m;
    return size_multiply(s.n_products, s.v_plane, &n_v) &&
           size_multiply(s.n_products, s.m_plane, &n_m) && size_add(n_v, n_m, n_floats);
}

static const size_t k_tiles[] = {2, 4, 5, 6}; /* of stride 1 in time; stride 2 has 5 */

static bool k_winograd_plan(struct conv *conv)
{
    conv->most_tile = conv->time_stride == 2 || conv->n_in > 128 ? 5 : 6;
    const struct k_sizes s = k_sizes_of(conv, k_pair_of(conv, conv->most_tile), 1);
    if (!size_multiply(s.n_panels, s.u_panel + PANEL, &conv->n_weights))
        return false;
    for (size_t i = 0; i < 4 && k_tiles[i] <= conv->most_tile; i++) {
        size_t n_floats;
        if (!k_scratch(conv, k_tiles[i], &n_floats))
            return false;
        if (n_floats > conv->scratch_floats)
            conv->scratch_floats = n_floats;
        if (k_most_frames(conv, k_tiles[i]) > conv->most)
            conv->most = k_most_frames(conv, k_tiles[i]);
    }
    return true;
}

/*
 * The tile with the least work: products, for each plane of weights at least as many tiles as it
 * takes to read it from memory (WORTH_READING). Of two that cost the same the smaller, which rounds
 * less; of a clip below a quarter of a second (FEW_FRAMES) the smallest.
 */
static void k_winograd_tiling(const struct conv *conv, size_t n, struct conv_tiling *out)
{
    const size_t n_f_tiles = k_divide_up(conv->out.n_freq, 5);
    const size_t most_tile = n * conv->n_in <= FEW_FRAMES * 32u ? 2u : conv->most_tile;
    size_t least = SIZE_MAX;
    out->tile = conv->most_tile;
    for (size_t i = 0; conv->time_stride == 1 && i < 4 && k_tiles[i] <= most_tile; i++) {
        const size_t n_tiles = k_divide_up(n, k_tiles[i]) * n_f_tiles;
        const size_t work = (k_tiles[i] + 2) * (n_tiles > WORTH_READING ? n_tiles : WORTH_READING);
        if (work < least) {
            least = work;
            out->tile = k_tiles[i];
        }
    }
    out->grain = out->tile;
    out->most = k_most_frames(conv, out->tile);
}

static void k_winograd_pack(const struct conv *conv, const struct net_conv *net)
{
    const struct k_pair *pair = k_pair_of(conv, conv->most_tile);
    const struct k_sizes s = k_sizes_of(conv, pair, 1);
    float *u = conv->weights + s.n_panels * PANEL;
    memcpy(conv->weights, net->bias, net->n_out * sizeof *net->bias);
    for (size_t k = 0; k < net->n_out; k += LANES)
        for (size_t c = 0; c < net->n_in; c++) {
            vec taps[9];
            k_taps(net, k, c, taps);
            k_weight_planes(pair->kt, pair->kf, taps,
                            u + k / PANEL * s.u_panel + c * PANEL + k % PANEL, s.u_plane);
        }
}

/* The products that share weight i along one dimension: first, and how many. */
static size_t k_sharing(enum k_kind kind, size_t i)
{
    return kind == K_S5 && i == 6 ? 5u : 1u;
}

/* All products of one panel with one row of weight planes. */
static void k_products_row(const struct k_pair *pair, const struct k_sizes *s, size_t row,
                           const float *v, const float *u, float *m, struct k_gemm *g)
{
    for (size_t column = 0; column < k_n_weights(pair->kf); column++) {
        g->u = u + column * s->u_plane;
        const uintptr_t next = (uintptr_t)g->u + s->u_plane * sizeof(float); /* the next plane */
        g->weights.at = next;
        g->weights.end = next + s->u_plane * sizeof(float);
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
        for (size_t t = 0, tile = 0; t < frames->n; t += frames->tile)
            for (size_t f = 0; f < conv->out.n_freq; f += n_f, tile++) {
                const size_t left_t = frames->n - t, left_f = conv->out.n_freq - f;
                const struct k_tile where = {
                    .out = frames->out + t,
                    .residual = frames->residual != NULL ? frames->residual + t : NULL,
                    .offset = (block * conv->out.n_rows + f + 1) * LANES,
                    .n_t = left_t < frames->tile ? left_t : frames->tile,
                    .n_f = left_f < n_f ? left_f : n_f,
                    .bias = bias,
                    .relu = frames->relu,
                };
                pair->output(m + (j * n_tiles + tile) * LANES, s->m_plane, &where);
            }
    }
}

static void k_winograd_run(const struct conv *conv, const struct conv_frames *frames,
                           float *scratch)
{
    const struct k_pair *pair = k_pair_of(conv, frames->tile);
    const size_t n_f_tiles = k_divide_up(conv->out.n_freq, k_n_out(pair->kf));
    const size_t n_tiles = k_divide_up(frames->n, frames->tile) * n_f_tiles;
    const struct k_sizes s = k_sizes_of(conv, pair, n_tiles);
    const size_t n_rows = k_n_weights(pair->kt), n_u = k_n_weights(pair->kf) * s.u_plane;
    float *v = scratch, *m = v + s.n_products * s.v_plane;

    for (size_t b = 0; b < conv->in.n_blocks; b++)
        for (size_t t = 0, tile = b * n_tiles; t < frames->n; t += frames->tile, tile += n_f_tiles)
            pair->input(frames->in + t * conv->time_stride, b * conv->in.n_rows * LANES,
                        v + tile * LANES, s.v_plane, n_f_tiles);

    for (size_t panel = 0; panel < s.n_panels; panel++) {
        const float *u = conv->weights + s.n_panels * PANEL + panel * s.u_panel;
        struct k_gemm g = {.v_block = n_tiles * LANES,
                           .v_row = LANES,
                           .n_blocks = conv->in.n_blocks,
                           .m_block = n_tiles * LANES,
                           .touched = frames,
                           .rows_at = 2 * panel * conv->out.n_rows * LANES,
                           .n_rows_floats = 2 * conv->out.n_rows * LANES};
        k_set_rows(&g, n_tiles);
        for (size_t row = 0; row < n_rows; row++)
            k_products_row(pair, &s, row, v, u + row * n_u, m, &g);
        k_outputs(conv, pair, &s, frames, panel, m);
    }
}

#endif
