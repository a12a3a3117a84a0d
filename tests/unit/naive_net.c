/* The network by its definition, in double. */
#include "naive_net.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *take(size_t n, size_t size)
{
    void *memory = calloc(n, size);
    if (memory == NULL) {
        fprintf(stderr, "no memory for %zu x %zu bytes\n", n, size);
        abort();
    }
    return memory;
}

double naive_random(uint64_t *seed) /* splitmix64 */
{
    uint64_t z = *seed += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return (double)(z >> 11) / 4503599627370496.0 - 1.0;
}

static double one_output(const struct net_conv *conv, const double *in, size_t n_freq,
                         size_t n_frames, size_t k, size_t f, size_t t)
{
    const ptrdiff_t pad = conv->kernel == 3;
    double sum = (double)conv->bias[k];
    for (size_t c = 0; c < conv->n_in; c++)
        for (size_t i = 0; i < conv->kernel; i++)
            for (size_t j = 0; j < conv->kernel; j++) {
                const ptrdiff_t y = (ptrdiff_t)(f * conv->stride + i) - pad;
                const ptrdiff_t x = (ptrdiff_t)(t * conv->time_stride + j) - pad;
                if (y >= 0 && y < (ptrdiff_t)n_freq && x >= 0 && x < (ptrdiff_t)n_frames)
                    sum +=
                        (double)conv
                            ->weight[((k * conv->n_in + c) * conv->kernel + i) * conv->kernel + j] *
                        in[(c * n_freq + (size_t)y) * n_frames + (size_t)x];
            }
    return sum;
}

void naive_conv(const struct net_conv *conv, const double *in, size_t n_freq, size_t n_frames,
                const double *residual, bool relu, double *out)
{
    const size_t n_freq_out = (n_freq - 1) / conv->stride + 1;
    const size_t n_frames_out = (n_frames - 1) / conv->time_stride + 1;
    for (size_t k = 0; k < conv->n_out; k++)
        for (size_t f = 0; f < n_freq_out; f++)
            for (size_t t = 0; t < n_frames_out; t++) {
                const size_t at = (k * n_freq_out + f) * n_frames_out + t;
                double y = one_output(conv, in, n_freq, n_frames, k, f, t);
                if (residual != NULL)
                    y += residual[at];
                out[at] = relu && y < 0.0 ? 0.0 : y;
            }
}

/* Replaces *x [C][F][T] by conv of it. */
static void step(const struct net_conv *conv, double **x, size_t *n_freq, size_t *n_frames,
                 const double *residual, bool relu)
{
    const size_t f = (*n_freq - 1) / conv->stride + 1, t = (*n_frames - 1) / conv->time_stride + 1;
    double *out = take(conv->n_out * f * t, sizeof *out);
    naive_conv(conv, *x, *n_freq, *n_frames, residual, relu, out);
    free(*x);
    *x = out;
    *n_freq = f;
    *n_frames = t;
}

static void block_forward(const struct net_block *block, double **x, size_t *n_freq,
                          size_t *n_frames)
{
    const size_t n_values = block->convs[0].n_in * *n_freq * *n_frames;
    size_t f = *n_freq, t = *n_frames;
    double *residual = take(n_values, sizeof *residual);
    memcpy(residual, *x, n_values * sizeof *residual);
    if (block->has_shortcut)
        step(&block->shortcut, &residual, &f, &t, NULL, false);
    for (size_t i = 0; i < block->n_convs; i++)
        step(&block->convs[i], x, n_freq, n_frames, i + 1 == block->n_convs ? residual : NULL,
             true);
    free(residual);
}

void naive_forward(const struct net *net, const float *features, size_t n_frames, double *embedding)
{
    size_t n_freq = net->n_mels, t = n_frames, n_channels = net->stem.n_out;
    double *x = take(n_freq * t, sizeof *x);
    for (size_t i = 0; i < t; i++)
        for (size_t f = 0; f < n_freq; f++)
            x[f * t + i] = (double)features[i * n_freq + f];
    step(&net->stem, &x, &n_freq, &t, NULL, true);
    for (size_t s = 0; s < VP_MAX_STAGES; s++)
        for (size_t b = 0; b < net->stages[s].n_blocks; b++) {
            const struct net_block *block = &net->stages[s].blocks[b];
            block_forward(block, &x, &n_freq, &t);
            n_channels = block->convs[block->n_convs - 1].n_out;
        }
    const size_t n_rows = n_channels * n_freq;
    for (size_t i = 0; i < net->dim; i++)
        embedding[i] =
            (double)net->fc_bias[i] - (net->mean_vec != NULL ? (double)net->mean_vec[i] : 0.0);
    for (size_t row = 0; row < n_rows; row++) {
        double mean = 0.0, m2 = 0.0;
        for (size_t i = 0; i < t; i++)
            mean += x[row * t + i] / (double)t;
        for (size_t i = 0; i < t; i++)
            m2 += (x[row * t + i] - mean) * (x[row * t + i] - mean);
        const double std = sqrt(m2 / (double)(t - 1) + 1e-7);
        for (size_t i = 0; i < net->dim; i++)
            embedding[i] += (double)net->fc_weight[i * 2 * n_rows + row] * mean +
                            (double)net->fc_weight[i * 2 * n_rows + n_rows + row] * std;
    }
    free(x);
}

void naive_conv_init(struct net_conv *conv, size_t n_out, size_t n_in, size_t kernel, size_t stride,
                     uint64_t *seed)
{
    struct vp_err err;
    if (net_conv_init(conv, n_out, n_in, kernel, stride, &err) != VP_OK) {
        fprintf(stderr, "%s\n", err.message);
        abort();
    }
    const size_t n_taps = kernel * kernel * n_in;
    for (size_t i = 0; i < n_out * n_taps; i++) /* uniform of variance 2 / fan-in */
        conv->weight[i] = (float)(naive_random(seed) * sqrt(6.0 / (double)n_taps));
    for (size_t i = 0; i < n_out; i++)
        conv->bias[i] = (float)(0.2 * naive_random(seed));
}

static void add_block(struct net *net, size_t stage, size_t n_in, size_t n_out, size_t stride,
                      bool bottleneck, uint64_t *seed)
{
    struct net_block *block = net_stage_add(&net->stages[stage]);
    const size_t middle = n_out / 4 + (n_out < 4);
    if (block == NULL)
        abort();
    block->n_convs = bottleneck ? 3 : 2;
    if (bottleneck) {
        naive_conv_init(&block->convs[0], middle, n_in, 1, 1, seed);
        naive_conv_init(&block->convs[1], middle, middle, 3, stride, seed);
        naive_conv_init(&block->convs[2], n_out, middle, 1, 1, seed);
    } else {
        naive_conv_init(&block->convs[0], n_out, n_in, 3, stride, seed);
        naive_conv_init(&block->convs[1], n_out, n_out, 3, 1, seed);
    }
    struct net_conv *last = &block->convs[block->n_convs - 1];
    for (size_t i = 0; i < net_conv_n_weights(last); i++)
        last->weight[i] *= 0.5F; /* so that deep nets do not grow */
    block->has_shortcut = stride != 1 || n_in != n_out;
    if (block->has_shortcut)
        naive_conv_init(&block->shortcut, n_out, n_in, 1, stride, seed);
}

struct net *naive_net(const struct naive_shape *shape, uint64_t seed)
{
    struct net *net = take(1, sizeof *net);
    net->n_mels = shape->n_mels;
    net->dim = shape->dim;
    size_t n_in =
        shape->bottleneck ? shape->channels[0] / 4 + (shape->channels[0] < 4) : shape->channels[0];
    naive_conv_init(&net->stem, n_in, 1, 3, 1, &seed);
    for (size_t s = 0; s < VP_MAX_STAGES; s++)
        for (size_t b = 0; b < shape->blocks[s]; b++) {
            add_block(net, s, n_in, shape->channels[s], s > 0 && b == 0 ? 2 : 1, shape->bottleneck,
                      &seed);
            n_in = shape->channels[s];
        }
    const size_t n_pooled = 2 * n_in * net_stage_n_freq(net, VP_MAX_STAGES - 1);
    net->fc_weight = take(net->dim * n_pooled, sizeof *net->fc_weight);
    net->fc_bias = take(net->dim, sizeof *net->fc_bias);
    net->mean_vec = take(net->dim, sizeof *net->mean_vec);
    for (size_t i = 0; i < net->dim * n_pooled; i++)
        net->fc_weight[i] = (float)(naive_random(&seed) / sqrt((double)n_pooled));
    for (size_t i = 0; i < net->dim; i++) {
        net->fc_bias[i] = (float)naive_random(&seed);
        net->mean_vec[i] = (float)naive_random(&seed);
    }
    struct vp_err err;
    if (net_check(net, &err) != VP_OK) {
        fprintf(stderr, "%s\n", err.message);
        abort();
    }
    return net;
}
