/*
 * The convolutions that Winograd has nothing to gain from: 1x1, stride 1 and 2, and the stem's 3x3
 * on a single channel.
 *
 *   1x1   a frame is V as the micro-kernel wants it: row = frequency, blocks n_rows apart.
 *         Weights [panel][C][2 L]. M [2][F'][L] in scratch, then bias, residual, ReLU.
 *   stem  weights [panel][2][3 time][3 frequency][L]: nine broadcasts and multiply-adds for each
 * output.
 */
#ifndef VP_SIMD_CONV_DIRECT_H
#define VP_SIMD_CONV_DIRECT_H

#include "network/simd/conv_winograd.h"

static bool k_direct_plan(struct conv *conv)
{
    const size_t n_panels = k_divide_up(conv->n_out, PANEL), n_taps = conv->kernel * conv->kernel;
    const size_t n_in = conv->kernel == 3 ? 1 : conv->in.n_blocks * LANES;
    conv->most_tile = 1;
    conv->most = 12; /* the batch of layer1, where the stem is */
    return size_multiply(n_panels * PANEL, n_in * n_taps + 1, &conv->n_weights) &&
           size_multiply(conv->out.n_freq, PANEL, &conv->scratch_floats);
}

static void k_direct_pack(const struct conv *conv, const struct net_conv *net)
{
    const size_t n_panels = k_divide_up(net->n_out, PANEL), n_taps = net->kernel * net->kernel;
    const size_t n_in = net->kernel == 3 ? 1 : conv->in.n_blocks * LANES;
    memcpy(conv->weights, net->bias, net->n_out * sizeof *net->bias);
    for (size_t k = 0; k < net->n_out; k += LANES)
        for (size_t c = 0; c < net->n_in; c++) { /* [panel][C][2][taps][L] */
            vec taps[9];
            k_taps(net, k, c, taps);
            memcpy(conv->weights + n_panels * PANEL +
                       ((k / PANEL * n_in + c) * 2 + k % PANEL / LANES) * n_taps * LANES,
                   taps, n_taps * sizeof *taps);
        }
}

/* One channel block of one output frame: y [F'][L] + bias + residual, through ReLU. */
static void k_finish(const struct conv *conv, const struct conv_frames *frames, size_t t,
                     size_t block, const float *y)
{
    const vec bias = k_load(conv->weights + block * LANES);
    const size_t offset = (block * conv->out.n_rows + 1) * LANES;
    for (size_t f = 0; f < conv->out.n_freq; f++) {
        vec z = k_load(y + f * LANES) + bias;
        if (frames->residual != NULL)
            z += k_load(frames->residual[t] + offset + f * LANES);
        k_store(frames->out[t] + offset + f * LANES, frames->relu ? k_relu(z) : z);
    }
}

static void k_pointwise_run(const struct conv *conv, const struct conv_frames *frames, float *y)
{
    const size_t n_panels = k_divide_up(conv->n_out, PANEL), n_freq = conv->out.n_freq;
    for (size_t panel = 0; panel < n_panels; panel++)
        for (size_t t = 0; t < frames->n; t++) {
            struct k_gemm g = {.v = frames->in[t * conv->time_stride] + LANES,
                               .v_block = conv->in.n_rows * LANES,
                               .v_row = conv->stride * LANES,
                               .n_blocks = conv->in.n_blocks,
                               .u = conv->weights + n_panels * PANEL +
                                    panel * conv->in.n_blocks * LANES * PANEL,
                               .m = y,
                               .m_block = n_freq * LANES};
            k_set_rows(&g, n_freq);
            k_gemm(&g);
            for (size_t j = 0; j < 2 && 2 * panel + j < conv->out.n_blocks; j++)
                k_finish(conv, frames, t, 2 * panel + j, y + j * n_freq * LANES);
        }
}

static void k_stem_run(const struct conv *conv, const struct conv_frames *frames, float *y)
{
    const size_t n_panels = k_divide_up(conv->n_out, PANEL);
    for (size_t t = 0; t < frames->n; t++)
        for (size_t block = 0; block < conv->out.n_blocks; block++) {
            const float *taps = conv->weights + n_panels * PANEL + block * 9 * LANES;
            vec w[9];
#pragma GCC unroll 9
            for (size_t i = 0; i < 9; i++)
                w[i] = k_load(taps + i * LANES);
            for (size_t f = 0; f < conv->out.n_freq; f++) {
                vec sum = {0};
#pragma GCC unroll 9
                for (size_t i = 0; i < 9; i++)
                    sum += frames->in[t + i / 3][(f + i % 3) * LANES] * w[i];
                k_store(y + f * LANES, sum);
            }
            k_finish(conv, frames, t, block, y);
        }
}

#endif
