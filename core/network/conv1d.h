/*
 * Convolutions over time, one dimension: the border between CAM++ and what computes it.
 *
 *   out[t][k] = gate[segment of t][k] * act(bias[k] + sum over c, j of
 *                   weight[k][c][j] pre(in[stride t + (j - (n_taps - 1) / 2) dilation][c]))
 *
 * pre is ReLU(scale x + shift) or nothing, act ReLU or nothing; frames outside the clip are zero
 * (behind pre). A packed struct conv1d is immutable: any number of threads may run it, each with
 * its own scratch and frames.
 */
#ifndef VP_CONV1D_H
#define VP_CONV1D_H

#include "network/campplus_net.h"

/*
 * All frames of a clip. Channels have places: place p of frame t lies at
 * data[p / lanes * n_block_floats + t * lanes + p % lanes]. Places that no channel has hold zeros.
 */
struct sequence {
    float *data; /* borrowed, 64-byte aligned */
    size_t lanes, n_block_floats, n_frames;
};

static inline float *sequence_at(const struct sequence *sequence, size_t place, size_t t)
{
    return sequence->data + place / sequence->lanes * sequence->n_block_floats +
           t * sequence->lanes + place % sequence->lanes;
}

struct conv1d {
    size_t n_places; /* of the input */
    size_t n_out, n_taps, stride, dilation;
    bool has_scale, relu;
    size_t tile;           /* output frames that are computed together; the parts of threads */
    size_t scratch_floats; /* of run */
    size_t n_weights;      /* floats that pack fills */
    float *weights;        /* borrowed, 64-byte aligned */
};

struct conv1d_call {
    const struct sequence *in, *out;
    size_t out_place;   /* of output channel 0 */
    size_t first, n;    /* output frames; n at most a tile, first a multiple of it */
    const float *gates; /* [segment][n_gate_floats] or NULL; an aligned row for each segment of */
    size_t n_gate_floats, n_segment_frames; /* that many output frames */
};

struct conv1d_kernel {
    /* Places that n channels take: whole vectors. */
    size_t (*n_places)(size_t n_channels);
    /* The sequence of up to n_places and n_frames: lanes, and floats of each block and in all. */
    bool (*layout)(size_t n_places, size_t n_frames, struct sequence *out, size_t *n_floats);
    /* All of *out but its weights. False when a size overflows. */
    bool (*plan)(const struct net_conv1d *net, size_t n_places, struct conv1d *out);
    /* Fills conv->weights, n_weights zeroed floats. places [n_in]: where each input channel is. */
    void (*pack)(const struct conv1d *conv, const struct net_conv1d *net, const size_t *places);
    void (*run)(const struct conv1d *conv, const struct conv1d_call *call, float *scratch);
    /* Means over each segment of n_segment_frames (the last may be shorter) of the first n
     * channels: means [segment][n]. */
    void (*segment_means)(const struct sequence *sequence, size_t n, size_t n_segment_frames,
                          float *means);
};

/* The kernel that is asked for; NULL when this build or this CPU does not have it. AUTO is none. */
const struct conv1d_kernel *conv1d_kernel_get(enum vp_kernel kernel);

/* For plan: what all kernels set alike, everything else zero. */
void conv1d_shape(const struct net_conv1d *net, size_t n_places, struct conv1d *out);

extern const struct conv1d_kernel conv1d_blas;
#if defined(__x86_64__)
/* Only to be called on a CPU that has the instructions: conv1d_kernel_get looks. */
extern const struct conv1d_kernel conv1d_avx2, conv1d_avx512;
#elif defined(__aarch64__)
extern const struct conv1d_kernel conv1d_neon;
#endif

#endif
