/*
 * Convolutions over frames: the border between the network (resnet) and what computes it.
 *
 * A frame is all activations of one moment, time is a sequence of frames, and a kernel sees frames
 * only through arrays of pointers: the caller keeps them in rings, puts one shared frame of zeros
 * where the clip has not begun or is over, and hands in as few as it likes. So the same kernel
 * serves a whole clip and a band of it, and nothing is copied between the two.
 *
 *   out[t][k][f] = act(bias[k] + residual[t][k][f]
 *                      + sum over c, i, j of weight[k][c][i][j] in[r t + j - p][c][s f + i - p])
 *
 * s stride, r stride in time, p = 1 for a 3x3 kernel (i over frequency, j over time) and 0 for 1x1;
 * act is ReLU or nothing. A packed struct conv is immutable: any number of threads may run it, each
 * with its own frames and scratch.
 */
#ifndef VP_CONV_H
#define VP_CONV_H

#include "network/net.h"

/*
 * How a kernel wants a frame: [n_blocks][n_rows][lanes], channel = block * lanes + lane. Frequency
 * f lies in row f + 1; row 0 and the rows from n_freq + 1 on are a border of zeros that nobody
 * writes, and so are the lanes beyond n_channels. n_floats >= the product: frames may be padded.
 */
struct frame_layout {
    size_t n_channels, n_freq;
    size_t lanes, n_blocks, n_rows;
    size_t n_floats;
};

/* Where channel c at frequency f lies in a frame, in floats. */
static inline size_t frame_index(const struct frame_layout *layout, size_t c, size_t f)
{
    return (c / layout->lanes * layout->n_rows + f + 1) * layout->lanes + c % layout->lanes;
}

struct conv {
    size_t n_in, n_out, kernel, stride, time_stride;
    struct frame_layout in, out;
    size_t most_tile, most; /* of any conv_tiling */
    size_t scratch_floats;  /* that run needs, for up to most frames */
    size_t n_weights;       /* floats that pack fills: bias and packed weights */
    float *weights;         /* borrowed, 64-byte aligned; the bias first, one for each channel that
                               the output layout holds, padded to 64 bytes */
};

/* How a convolution goes through a clip. */
struct conv_tiling {
    size_t tile;  /* output frames that are computed together */
    size_t most;  /* output frames of one call: where it is efficient, a multiple of tile */
    size_t grain; /* a call may be split at multiples of it without changing a bit */
};

/* The frames of one call. All pointers borrowed for the call. */
struct conv_frames {
    /* [conv_n_in(conv, tile, n)]; in[0] is the first frame that output frame 0 touches */
    const float *const *in;
    const float *const *residual; /* [n], in the output's layout; NULL when nothing is added */
    float *const *out;            /* [n]; borders are left alone */
    size_t tile, n;               /* of the tiling; n from 1 to its most */
    bool relu;
};

/* Input frames that a call for n output frames reads: whole tiles, zeros beyond the clip's end. */
static inline size_t conv_n_in(const struct conv *conv, size_t tile, size_t n)
{
    return ((n + tile - 1) / tile * tile - 1) * conv->time_stride + conv->kernel;
}

struct conv_kernel {
    void (*layout)(size_t n_channels, size_t n_freq, struct frame_layout *out);
    /* All of *out but its weights, for a convolution whose input has n_freq rows. False when a size
     * overflows. */
    bool (*plan)(const struct net_conv *net, size_t n_freq, struct conv *out);
    /* Fills conv->weights, which the caller has set to n_weights zeroed floats. */
    void (*pack)(const struct conv *conv, const struct net_conv *net);
    /* The fastest for a clip of n output frames. */
    void (*tiling)(const struct conv *conv, size_t n, struct conv_tiling *out);
    void (*run)(const struct conv *conv, const struct conv_frames *frames, float *scratch);
};

/* The kernel that is asked for; NULL when this build or this CPU does not have it. AUTO is none. */
const struct conv_kernel *conv_kernel_get(enum vp_kernel kernel);

/* For plan: what all kernels set alike, everything else zero. */
void conv_shape(const struct conv_kernel *kernel, const struct net_conv *net, size_t n_freq,
                struct conv *out);

extern const struct conv_kernel conv_blas;
#if defined(__x86_64__)
/* Only to be called on a CPU that has the instructions: conv_kernel_get looks. */
extern const struct conv_kernel conv_avx2, conv_avx512;
#elif defined(__aarch64__)
extern const struct conv_kernel conv_neon;
#endif

#endif
