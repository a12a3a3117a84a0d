/*
 * The vector kernel. One source, one object for each instruction set: the Makefile compiles it with
 * LANES, -march and KERNEL, the name of the table below. Nothing here may be called before
 * conv_kernel_get has asked the CPU.
 *
 * Frames: [C / L][rows][L], L = LANES, frequency next to the lanes, so that fbank's features need
 * no transposition and the rows of a tile are consecutive vectors. Rows are rounded up to whole
 * tiles, and a vector of padding keeps frames from lying a multiple of 4096 bytes apart.
 */
#include "conv_direct.h"

#include <stdlib.h>
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

static bool k_is_direct(size_t kernel, size_t n_in, size_t stride)
{
    return kernel == 1 || (n_in == 1 && stride == 1);
}

static enum vp_status k_pack(const struct net_conv *net, size_t n_freq, struct conv *out,
                             struct vp_err *err)
{
    return k_is_direct(net->kernel, net->n_in, net->stride)
               ? k_direct_pack(&KERNEL, net, n_freq, out, err)
               : k_winograd_pack(&KERNEL, net, n_freq, out, err);
}

static void k_run(const struct conv *conv, const struct conv_frames *frames, float *scratch)
{
    if (!k_is_direct(conv->kernel, conv->n_in, conv->stride))
        k_winograd_run(conv, frames, scratch);
    else if (conv->kernel == 1)
        k_pointwise_run(conv, frames, scratch);
    else
        k_stem_run(conv, frames, scratch);
}

const struct conv_kernel KERNEL = {.layout = k_layout, .pack = k_pack, .run = k_run};
