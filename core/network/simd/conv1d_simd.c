/*
 * The vector kernel of 1-D convolutions: the inputs of a tile of output frames side by side, and
 * the micro-kernel on them, one panel of 2 LANES output channels after the other.
 *
 *   sequence [places / L][T][L]
 *   V        [n_taps][places / L][n][L]      behind scale, shift and ReLU
 *   weights  bias [panels][2 L], scale [places], shift [places], [panel][n_taps][places][2 L]
 *   M        [2][n][L], then + bias, ReLU, gate, into the output
 *
 * A tile is as large as keeps V in the second-level cache. How frames are cut into tiles changes no
 * bit. Blocks of a sequence lie an odd number of vectors apart (see conv_simd.c).
 */
#include "network/conv1d.h"
#include "network/simd/gemm.h"

#include <string.h>

#define V_FLOATS 49152u            /* 192 KiB */
#define MOST     (16u * MOST_ROWS) /* frames of a tile: M stays in the first-level cache */

static size_t k_round_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

static size_t k_n_places(size_t n_channels)
{
    return k_round_up(n_channels, LANES);
}

static bool k_layout(size_t n_places, size_t n_frames, struct sequence *out, size_t *n_floats)
{
    *out = (struct sequence){
        .lanes = LANES, .n_block_floats = (n_frames | 1u) * LANES, .n_frames = n_frames};
    return size_multiply(n_places / LANES, out->n_block_floats, n_floats);
}

static bool k_plan(const struct net_conv1d *net, size_t n_places, struct conv1d *out)
{
    conv1d_shape(net, n_places, out);
    const size_t n_outs = k_round_up(net->n_out, PANEL);
    size_t depth, n;
    if (!size_multiply(net->n_taps, n_places, &depth) || !size_multiply(depth, n_outs, &n))
        return false;
    const size_t fits = V_FLOATS / depth / MOST_ROWS * MOST_ROWS;
    out->tile = fits < MOST_ROWS ? MOST_ROWS : fits < MOST ? fits : MOST;
    return size_multiply(out->tile, depth + PANEL, &out->scratch_floats) &&
           size_add(n, n_outs + 2 * n_places, &out->n_weights);
}

static void k_pack(const struct conv1d *conv, const struct net_conv1d *net, const size_t *places)
{
    const size_t n_outs = k_round_up(conv->n_out, PANEL), depth = conv->n_taps * conv->n_places;
    float *scale = conv->weights + n_outs, *shift = scale + conv->n_places;
    float *weights = shift + conv->n_places;
    memcpy(conv->weights, net->bias, net->n_out * sizeof *net->bias);
    for (size_t c = 0; net->scale != NULL && c < net->n_in; c++) {
        scale[places[c]] = net->scale[c];
        shift[places[c]] = net->shift[c];
    }
    for (size_t k = 0; k < net->n_out; k++)
        for (size_t c = 0; c < net->n_in; c++)
            for (size_t j = 0; j < net->n_taps; j++)
                weights[(k / PANEL * depth + j * conv->n_places + places[c]) * PANEL + k % PANEL] =
                    net->weight[(k * net->n_in + c) * net->n_taps + j];
}

/* Frames of one tap and one block: output frame i takes in[at + i * stride]. */
static void k_take(const struct conv1d *conv, const struct conv1d_call *call, size_t block,
                   ptrdiff_t at, float *v)
{
    const float *in = call->in->data + block * call->in->n_block_floats;
    const float *scales = conv->weights + k_round_up(conv->n_out, PANEL);
    const vec scale = k_load(scales + block * LANES);
    const vec shift = k_load(scales + conv->n_places + block * LANES);
    const ptrdiff_t n_frames = (ptrdiff_t)call->in->n_frames, stride = (ptrdiff_t)conv->stride;
    size_t i = 0;
    for (; i < call->n && at < 0; i++, at += stride)
        k_store(v + i * LANES, (vec){0});
    if (conv->has_scale)
        for (; i < call->n && at < n_frames; i++, at += stride)
            k_store(v + i * LANES, k_relu(k_load(in + at * LANES) * scale + shift));
    else
        for (; i < call->n && at < n_frames; i++, at += stride)
            k_store(v + i * LANES, k_load(in + at * LANES));
    for (; i < call->n; i++)
        k_store(v + i * LANES, (vec){0});
}

/* One block of output channels: m [n][L] into the sequence. */
static void k_finish(const struct conv1d *conv, const struct conv1d_call *call, size_t block,
                     const float *m)
{
    const vec bias = k_load(conv->weights + block * LANES);
    float *out = sequence_at(call->out, call->out_place + block * LANES, call->first);
    size_t left = call->n;
    for (size_t t = call->first; left > 0;) {
        vec gate = k_fill(1.0F);
        size_t n = left;
        if (call->gates != NULL) { /* as far as the segment goes */
            const size_t segment = t / call->n_segment_frames;
            gate = k_load(call->gates + segment * call->n_gate_floats + block * LANES);
            const size_t ahead = (segment + 1) * call->n_segment_frames - t;
            n = ahead < left ? ahead : left;
        }
        for (size_t i = 0; i < n; i++, m += LANES, out += LANES) {
            const vec y = k_load(m) + bias;
            k_store(out, (conv->relu ? k_relu(y) : y) * gate);
        }
        t += n;
        left -= n;
    }
}

static void k_run(const struct conv1d *conv, const struct conv1d_call *call, float *scratch)
{
    const size_t n_blocks = conv->n_places / LANES, depth = conv->n_taps * conv->n_places;
    const size_t n_outs = k_round_up(conv->n_out, PANEL),
                 n_out_blocks = k_n_places(conv->n_out) / LANES;
    const float *weights = conv->weights + n_outs + 2 * conv->n_places;
    float *v = scratch, *m = scratch + conv->tile * depth;
    const size_t reach = (conv->n_taps - 1) / 2 * conv->dilation;
    for (size_t j = 0; j < conv->n_taps; j++)
        for (size_t b = 0; b < n_blocks; b++)
            k_take(conv, call, b,
                   (ptrdiff_t)(call->first * conv->stride + j * conv->dilation) - (ptrdiff_t)reach,
                   v + (j * n_blocks + b) * call->n * LANES);
    struct k_gemm g = {.v = v,
                       .v_block = call->n * LANES,
                       .v_row = LANES,
                       .n_blocks = conv->n_taps * n_blocks,
                       .m = m,
                       .m_block = call->n * LANES};
    k_set_rows(&g, call->n);
    for (size_t panel = 0; panel < n_outs / PANEL; panel++) {
        g.u = weights + panel * depth * PANEL;
        const size_t n_bytes = depth * PANEL * sizeof(float);
        g.weights.at = (uintptr_t)g.u + n_bytes; /* the next panel */
        g.weights.end = g.weights.at + (panel + 1 < n_outs / PANEL ? n_bytes : 0);
        k_gemm(&g);
        for (size_t j = 0; j < 2 && 2 * panel + j < n_out_blocks; j++)
            k_finish(conv, call, 2 * panel + j, m + j * call->n * LANES);
    }
}

static void k_segment_means(const struct sequence *sequence, size_t n, size_t n_segment_frames,
                            float *means)
{
    for (size_t t = 0; t < sequence->n_frames; t += n_segment_frames, means += n) {
        const size_t left = sequence->n_frames - t;
        const size_t n_frames = left < n_segment_frames ? left : n_segment_frames;
        for (size_t c = 0; c < n; c += LANES) {
            const float *in = sequence_at(sequence, c, t);
            vec sums[4] = {{0}}; /* one would wait for each addition in turn */
            for (size_t i = 0; i < n_frames; i++)
                sums[i % 4] += k_load(in + i * LANES);
            const vec mean = ((sums[0] + sums[1]) + (sums[2] + sums[3])) / (float)n_frames;
            for (size_t l = 0; l < LANES && c + l < n; l++)
                means[c + l] = mean[l];
        }
    }
}

const struct conv1d_kernel KERNEL = {.n_places = k_n_places,
                                     .layout = k_layout,
                                     .plan = k_plan,
                                     .pack = k_pack,
                                     .run = k_run,
                                     .segment_means = k_segment_means};
