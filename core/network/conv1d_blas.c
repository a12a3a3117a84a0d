/*
 * The plain kernel: the inputs of each output frame side by side, and one SGEMM of the BLAS. Always
 * there, and the yardstick of the faster ones.
 *
 *   sequence [T, places]       one block, so that a frame is a row
 *   columns  [n, n_taps, places]
 *   weights  bias [n_out], scale [places], shift [places], then [n_taps, places, n_out]
 *   result   [n, n_out]        = columns weights, then + bias, ReLU, gate, into the output
 */
#include "network/conv1d.h"

#include <cblas.h>
#include <string.h>

#define TILE 64u /* frames: 0.5 MB of columns in the widest layer of the published model */

/* A whole cache line. */
static size_t round_up(size_t n)
{
    return (n + 15) / 16 * 16;
}

static size_t k_n_places(size_t n_channels)
{
    return n_channels;
}

static bool k_layout(size_t n_places, size_t n_frames, struct sequence *out, size_t *n_floats)
{
    *out = (struct sequence){.lanes = n_places, .n_frames = n_frames};
    return size_multiply(n_places, n_frames, n_floats);
}

static bool k_plan(const struct net_conv1d *net, size_t n_places, struct conv1d *out)
{
    conv1d_shape(net, n_places, out);
    out->tile = TILE;
    size_t depth, n, head;
    if (!size_multiply(net->n_taps, n_places, &depth) || !size_multiply(depth, net->n_out, &n) ||
        !size_add(depth, net->n_out, &head) || !size_multiply(head, TILE, &out->scratch_floats))
        return false;
    return size_add(n, round_up(net->n_out) + 2 * round_up(n_places), &out->n_weights);
}

static void k_pack(const struct conv1d *conv, const struct net_conv1d *net, const size_t *places)
{
    float *scale = conv->weights + round_up(conv->n_out);
    float *shift = scale + round_up(conv->n_places), *weights = shift + round_up(conv->n_places);
    memcpy(conv->weights, net->bias, net->n_out * sizeof *net->bias);
    for (size_t c = 0; c < net->n_in; c++) {
        if (net->scale != NULL) {
            scale[places[c]] = net->scale[c];
            shift[places[c]] = net->shift[c];
        }
        for (size_t j = 0; j < net->n_taps; j++)
            for (size_t k = 0; k < net->n_out; k++)
                weights[(j * conv->n_places + places[c]) * net->n_out + k] =
                    net->weight[(k * net->n_in + c) * net->n_taps + j];
    }
}

/* One tap's inputs of one output frame: in row `at` of the clip, or zeros outside it. */
static void k_take(const struct conv1d *conv, const struct sequence *in, ptrdiff_t at, float *row)
{
    const float *scale = conv->weights + round_up(conv->n_out);
    const float *shift = scale + round_up(conv->n_places);
    if (at < 0 || (size_t)at >= in->n_frames) {
        memset(row, 0, conv->n_places * sizeof *row);
        return;
    }
    const float *from = in->data + (size_t)at * in->lanes;
    for (size_t p = 0; p < conv->n_places; p++) {
        const float y = conv->has_scale ? scale[p] * from[p] + shift[p] : from[p];
        row[p] = conv->has_scale && y < 0.0F ? 0.0F : y;
    }
}

static void k_run(const struct conv1d *conv, const struct conv1d_call *call, float *scratch)
{
    const size_t depth = conv->n_taps * conv->n_places, n_out = conv->n_out;
    const float *weights = conv->weights + round_up(n_out) + 2 * round_up(conv->n_places);
    float *columns = scratch, *result = scratch + TILE * depth;
    for (size_t t = 0; t < call->n; t++)
        for (size_t j = 0; j < conv->n_taps; j++)
            k_take(conv, call->in,
                   (ptrdiff_t)((call->first + t) * conv->stride + j * conv->dilation) -
                       (ptrdiff_t)((conv->n_taps - 1) / 2 * conv->dilation),
                   columns + t * depth + j * conv->n_places);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)call->n, (int)n_out, (int)depth,
                1.0F, columns, (int)depth, weights, (int)n_out, 0.0F, result, (int)n_out);
    for (size_t t = 0; t < call->n; t++) {
        float *out = sequence_at(call->out, call->out_place, call->first + t);
        const float *gate = NULL;
        if (call->gates != NULL)
            gate = call->gates + (call->first + t) / call->n_segment_frames * call->n_gate_floats;
        for (size_t k = 0; k < n_out; k++) {
            float y = result[t * n_out + k] + conv->weights[k];
            y = conv->relu && y < 0.0F ? 0.0F : y;
            out[k] = gate != NULL ? y * gate[k] : y;
        }
    }
}

static void k_segment_means(const struct sequence *sequence, size_t n, size_t n_segment_frames,
                            float *means)
{
    for (size_t t = 0; t < sequence->n_frames; t += n_segment_frames, means += n) {
        const size_t left = sequence->n_frames - t;
        const size_t n_frames = left < n_segment_frames ? left : n_segment_frames;
        for (size_t c = 0; c < n; c++) {
            double sum = 0.0;
            for (size_t i = 0; i < n_frames; i++)
                sum += (double)*sequence_at(sequence, c, t + i);
            means[c] = (float)(sum / (double)n_frames);
        }
    }
}

const struct conv1d_kernel conv1d_blas = {.n_places = k_n_places,
                                          .layout = k_layout,
                                          .plan = k_plan,
                                          .pack = k_pack,
                                          .run = k_run,
                                          .segment_means = k_segment_means};
