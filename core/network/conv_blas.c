/*
 * The plain kernel: im2col and one SGEMM of the BLAS. Always there, and the yardstick of the
 * faster ones.
 *
 * Layout: one block with all channels in it, so that a frame is [F + 2][C], the three rows that an
 * output row touches in one frame are 3 C consecutive floats, and SGEMM's result is a frame again.
 *
 *   columns [n F', kk C]   row (t, f) = the inputs of output (t, f), ordered (j, i, c)
 *   weights [kk C, K]      the same order
 *   result  [n F', K]      = columns weights, then + bias + residual, ReLU, into the output frames
 */
#include "network/conv.h"

#include <cblas.h>
#include <string.h>

#define MOST_FRAMES 16u /* frames: 1.5 MB of columns in any stage of the published model */

static void k_layout(size_t n_channels, size_t n_freq, struct frame_layout *out)
{
    *out = (struct frame_layout){.n_channels = n_channels,
                                 .n_freq = n_freq,
                                 .lanes = n_channels,
                                 .n_blocks = 1,
                                 .n_rows = n_freq + 2,
                                 .n_floats = (n_freq + 2) * n_channels};
}

/* Floats before the weights: the bias, up to a whole cache line. */
static size_t k_bias_floats(size_t n_out)
{
    return (n_out + 15) / 16 * 16;
}

static bool k_plan(const struct net_conv *net, size_t n_freq, struct conv *out)
{
    const size_t depth = net->kernel * net->kernel * net->n_in; /* a row of net->weight: fits */
    conv_shape(&conv_blas, net, n_freq, out);
    out->most_tile = 1;
    out->most = MOST_FRAMES;
    out->n_weights = k_bias_floats(net->n_out) + depth * net->n_out;
    return size_multiply(MOST_FRAMES * out->out.n_freq, depth + net->n_out, &out->scratch_floats);
}

static void k_pack(const struct conv *conv, const struct net_conv *net)
{
    const size_t side = net->kernel;
    float *weights = conv->weights + k_bias_floats(net->n_out);
    memcpy(conv->weights, net->bias, net->n_out * sizeof *net->bias);
    /* [K, C, i, j] -> [j, i, C, K], a cache line of K at a time */
    for (size_t first = 0; first < net->n_out; first += 16)
        for (size_t c = 0; c < net->n_in; c++)
            for (size_t k = first; k < net->n_out && k < first + 16; k++)
                for (size_t i = 0; i < side; i++)
                    for (size_t j = 0; j < side; j++)
                        weights[((j * side + i) * net->n_in + c) * net->n_out + k] =
                            net->weight[((k * net->n_in + c) * side + i) * side + j];
}

/* The columns of one output frame: [F', kk C]. */
static void k_im2col(const struct conv *conv, const float *const *in, float *columns)
{
    const size_t n_near = conv->kernel * conv->n_in;  /* floats of one frame that one row takes */
    const size_t first = conv->kernel == 3 ? 0u : 1u; /* border row 0 belongs to a 3x3 only */
    for (size_t f = 0; f < conv->out.n_freq; f++)
        for (size_t j = 0; j < conv->kernel; j++) {
            memcpy(columns, in[j] + (f * conv->stride + first) * conv->n_in,
                   n_near * sizeof *columns);
            columns += n_near;
        }
}

/* result [F', K] + bias + residual, through ReLU, into one output frame. */
static void k_finish(const struct conv *conv, const float *result, const float *residual, bool relu,
                     float *out)
{
    const size_t n_out = conv->n_out;
    for (size_t f = 0; f < conv->out.n_freq; f++)
        for (size_t k = 0; k < n_out; k++) {
            float y = result[f * n_out + k] + conv->weights[k];
            if (residual != NULL)
                y += residual[(f + 1) * n_out + k];
            out[(f + 1) * n_out + k] = relu && y < 0.0F ? 0.0F : y;
        }
}

static void k_tiling(const struct conv *conv, size_t n, struct conv_tiling *out)
{
    (void)n;
    /* SGEMM may sum rows at the edge in another order */
    *out = (struct conv_tiling){.tile = 1, .most = conv->most, .grain = conv->most};
}

static void k_run(const struct conv *conv, const struct conv_frames *frames, float *scratch)
{
    const size_t depth = conv->kernel * conv->kernel * conv->n_in;
    const size_t n_freq = conv->out.n_freq, n_out = conv->n_out;
    float *columns = scratch, *result = scratch + MOST_FRAMES * n_freq * depth;
    for (size_t t = 0; t < frames->n; t++)
        k_im2col(conv, frames->in + t * conv->time_stride, columns + t * n_freq * depth);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)(frames->n * n_freq), (int)n_out,
                (int)depth, 1.0F, columns, (int)depth, conv->weights + k_bias_floats(conv->n_out),
                (int)n_out, 0.0F, result, (int)n_out);
    for (size_t t = 0; t < frames->n; t++)
        k_finish(conv, result + t * n_freq * n_out,
                 frames->residual != NULL ? frames->residual[t] : NULL, frames->relu,
                 frames->out[t]);
}

const struct conv_kernel conv_blas = {
    .layout = k_layout, .plan = k_plan, .pack = k_pack, .tiling = k_tiling, .run = k_run};
