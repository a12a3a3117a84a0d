/*
 * The network by its definition, in double, one loop per index; and nets with random weights to
 * run it on. What the engine's kernels are judged by.
 */
#ifndef VP_NAIVE_NET_H
#define VP_NAIVE_NET_H

#include "network/net.h"

/* Uniform in [-1, 1), the same sequence for a seed on every machine. */
double naive_random(uint64_t *seed);

/* in [n_in][n_freq][n_frames] -> out [n_out][ceil(n_freq / s)][ceil(n_frames / s)], plus residual
 * (same shape as out) where it is not NULL, through ReLU where asked. */
void naive_conv(const struct net_conv *conv, const double *in, size_t n_freq, size_t n_frames,
                const double *residual, bool relu, double *out);

/* features [n_frames, n_mels] -> embedding [dim]. */
void naive_forward(const struct net *net, const float *features, size_t n_frames,
                   double *embedding);

/* He-initialised convolution, biases random. Aborts without memory. */
void naive_conv_init(struct net_conv *conv, size_t n_out, size_t n_in, size_t kernel, size_t stride,
                     uint64_t *seed);

struct naive_shape {
    size_t n_mels, dim;
    size_t blocks[VP_MAX_STAGES], channels[VP_MAX_STAGES];
    bool bottleneck; /* the middle of a block has a quarter of the channels, at least 1 */
};
/* Returns owned (net_free), net_check-ed. */
struct net *naive_net(const struct naive_shape *shape, uint64_t seed);

#endif
