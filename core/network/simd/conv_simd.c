/*
 * The vector kernel. One source, one object for each instruction set: the Makefile compiles it with
 * LANES, -march and KERNEL, the name of the table below. Nothing here may be called before
 * conv_kernel_get has asked the CPU.
 *
 * Frames: [C / L][rows][L], L = LANES, frequency next to the lanes, so that fbank's features need
 * no transposition and the rows of a tile are consecutive vectors. Rows are rounded up to whole
 * tiles, and a vector of padding keeps frames from lying a multiple of 4096 bytes apart.
 */
#include "network/simd/conv_direct.h"

#include <string.h>

static void k_layout(size_t n_channels, size_t n_freq, struct frame_layout *out)
{
    const size_t n_blocks = k_divide_up(n_channels, LANES);
    const size_t n_rows = k_divide_up(n_freq, 10) * 10 + 2; /* whole tiles at both strides */
    *out = (struct frame_layout){.n_channels = n_channels,
                                 .n_freq = n_freq,
                                 .lanes = LANES,
                                 .n_blocks = n_blocks,
                                 .n_rows = n_rows,
                                 .n_floats = (n_blocks * n_rows | 1u) * LANES};
}

static bool k_is_direct(const struct conv *conv)
{
    return conv->kernel == 1 || (conv->n_in == 1 && conv->stride == 1);
}

static bool k_plan(const struct net_conv *net, size_t n_freq, struct conv *out)
{
    conv_shape(&KERNEL, net, n_freq, out);
    return k_is_direct(out) ? k_direct_plan(out) : k_winograd_plan(out);
}

static void k_pack(const struct conv *conv, const struct net_conv *net)
{
    if (k_is_direct(conv))
        k_direct_pack(conv, net);
    else
        k_winograd_pack(conv, net);
}

static void k_tiling(const struct conv *conv, size_t n, struct conv_tiling *out)
{
    if (k_is_direct(conv))
        *out = (struct conv_tiling){.tile = 1, .most = conv->most, .grain = 1};
    else
        k_winograd_tiling(conv, n, out);
}

static void k_run(const struct conv *conv, const struct conv_frames *frames, float *scratch)
{
    if (!k_is_direct(conv))
        k_winograd_run(conv, frames, scratch);
    else if (conv->kernel == 1)
        k_pointwise_run(conv, frames, scratch);
    else
        k_stem_run(conv, frames, scratch);
}

const struct conv_kernel KERNEL = {
    .layout = k_layout, .plan = k_plan, .pack = k_pack, .tiling = k_tiling, .run = k_run};
