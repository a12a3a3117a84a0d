/*
 * CAM++ at work, window by window.
 *
 * Shapes, published model, T frames, H = ceil(T / 2): head [320,T] tdnn [128,H] block1 [256,H]
 * block2 [512,H] block3 [512,H] pool [1024] fc [192]. A block's output is that of its transit; the
 * BatchNorm and ReLU behind the last one are folded into it.
 */
#include "network/campplus.h"

#include "network/campplus_state.h"

#include "network/stats_pool.h"

#include <cblas.h>
#include <math.h>
#include <string.h>

/* ---- convolutions over time ---------------------------------------------------------------------
 */

struct step {
    const struct campplus_state *state;
    const struct conv1d *conv;
    struct conv1d_call call; /* but for first and n */
};

static void run_part(void *ctx, size_t part, size_t seat)
{
    const struct step *step = ctx;
    struct conv1d_call call = step->call;
    const size_t left = call.out->n_frames - part * step->conv->tile;
    call.first = part * step->conv->tile;
    call.n = left < step->conv->tile ? left : step->conv->tile;
    step->state->campplus->kernel->run(step->conv, &call, step->state->scratch[seat]);
}

/* All frames of a convolution, a tile for each part. */
static void run_conv(const struct campplus_state *state, const struct conv1d *conv,
                     const struct conv1d_call *call)
{
    struct step step = {.state = state, .conv = conv, .call = *call};
    team_run(state->team, (call->out->n_frames - 1) / conv->tile + 1, run_part, &step);
}

/* A sequence in the memory that was laid out for the longest window. */
static struct sequence sequence_in(const struct campplus_state *state, float *memory,
                                   size_t n_places, size_t n_frames)
{
    struct sequence sequence;
    size_t n_floats;
    (void)state->campplus->kernel->layout(n_places, n_frames, &sequence, &n_floats);
    sequence.data = memory;
    return sequence;
}

/* ---- gates --------------------------------------------------------------------------------------
 */

/* in [n, n_in] -> out [n, n_out], rows of out n_row floats apart. */
static void run_linear(const struct linear *linear, const float *in, size_t n, float *out,
                       size_t n_row)
{
    for (size_t i = 0; i < n; i++)
        memcpy(out + i * n_row, linear->bias, linear->n_out * sizeof *out);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)n, (int)linear->n_out,
                (int)linear->n_in, 1.0F, in, (int)linear->n_in, linear->weight, (int)linear->n_in,
                1.0F, out, (int)n_row);
}

/* Adds the mean over the clip to the mean of each segment, [n_segments, n]: of the segments, each
 * by its length. */
static void add_clip_mean(float *means, size_t n_segments, size_t n, size_t n_frames)
{
    const size_t n_last = n_frames - (n_segments - 1) * CAMPPLUS_SEGMENT_FRAMES;
    for (size_t c = 0; c < n; c++) {
        double sum = 0.0;
        for (size_t s = 0; s < n_segments; s++)
            sum += (double)means[s * n + c] *
                   (double)(s + 1 < n_segments ? CAMPPLUS_SEGMENT_FRAMES : n_last);
        const float mean = (float)(sum / (double)n_frames);
        for (size_t s = 0; s < n_segments; s++)
            means[s * n + c] += mean;
    }
}

/* The layer's gates of each segment, from its bottleneck. */
static void set_gates(struct campplus_state *state, const struct dense_layer *layer,
                      const struct sequence *bottleneck)
{
    const size_t n_segments = (bottleneck->n_frames - 1) / CAMPPLUS_SEGMENT_FRAMES + 1;
    const size_t n_hidden = layer->down.n_out;
    state->campplus->kernel->segment_means(bottleneck, layer->down.n_in, CAMPPLUS_SEGMENT_FRAMES,
                                           state->context);
    add_clip_mean(state->context, n_segments, layer->down.n_in, bottleneck->n_frames);
    run_linear(&layer->down, state->context, n_segments, state->hidden, n_hidden);
    for (size_t i = 0; i < n_segments * n_hidden; i++)
        state->hidden[i] = state->hidden[i] < 0.0F ? 0.0F : state->hidden[i];
    run_linear(&layer->up, state->hidden, n_segments, state->gates, state->n_gate_floats);
    for (size_t s = 0; s < n_segments; s++)
        for (size_t k = 0; k < layer->up.n_out; k++) {
            float *gate = &state->gates[s * state->n_gate_floats + k];
            *gate = 1.0F / (1.0F + expf(-*gate));
        }
}

/* ---- the network --------------------------------------------------------------------------------
 */

static void run_layer(struct campplus_state *state, const struct dense_layer *layer,
                      const struct sequence *block)
{
    const struct sequence bottleneck =
        sequence_in(state, state->bottleneck, layer->local.n_places, block->n_frames);
    run_conv(state, &layer->bottleneck, &(struct conv1d_call){.in = block, .out = &bottleneck});
    set_gates(state, layer, &bottleneck);
    run_conv(state, &layer->local,
             &(struct conv1d_call){.in = &bottleneck,
                                   .out = block,
                                   .out_place = layer->out_place,
                                   .gates = state->gates,
                                   .n_gate_floats = state->n_gate_floats,
                                   .n_segment_frames = CAMPPLUS_SEGMENT_FRAMES});
}

/* The first n channels, which lie side by side, of frame t. */
static void copy_channels(const struct sequence *sequence, size_t n, size_t t, float *out)
{
    for (size_t c = 0; c < n; c += sequence->lanes) {
        const size_t left = n - c;
        memcpy(out + c, sequence_at(sequence, c, t),
               (left < sequence->lanes ? left : sequence->lanes) * sizeof *out);
    }
}

static void tap_sequence(struct campplus_state *state, const struct taps *taps, const char *stage,
                         const struct sequence *sequence, size_t n)
{
    for (size_t t = 0; taps->tap != NULL && t < sequence->n_frames; t++) {
        copy_channels(sequence, n, t, state->frame);
        taps->tap(taps->ctx, stage, n, 1, t, state->frame);
    }
}

/* A frame of the head, without its border, into the sequence. */
static void take_frame(void *ctx, const struct frame_layout *layout, size_t t, const float *frame)
{
    const struct sequence *sequence = ctx;
    const size_t n_freq = layout->n_freq, lanes = layout->lanes;
    for (size_t b = 0; b < layout->n_blocks; b++)
        for (size_t f = 0; f < n_freq; f++)
            memcpy(sequence_at(sequence, (b * n_freq + f) * lanes, t),
                   frame + (b * layout->n_rows + f + 1) * lanes, lanes * sizeof *frame);
}

/* features [n_frames, n_mels] -> the last frames [campplus_half(n_frames), n_channels] in rows.
 * n_frames is at most max_window. */
static enum vp_status run_window(struct campplus_state *state, const float *features,
                                 size_t n_frames, float *rows, const struct taps *taps,
                                 struct vp_err *err)
{
    static const char *const names[CAMPPLUS_N_BLOCKS] = {"block1", "block2", "block3"};
    const struct campplus *campplus = state->campplus;
    const size_t n_half = campplus_half(n_frames);
    struct sequence frames = sequence_in(state, state->frames, campplus->tdnn.n_places, n_frames);
    const struct resnet_taker taker = {take_frame, &frames};
    const enum vp_status status = resnet_frames(state->head, features, n_frames, &taker, taps, err);
    if (status != VP_OK)
        return status;
    team_open(state->team);
    struct sequence in = sequence_in(state, state->blocks[0], campplus->blocks[0].n_places, n_half);
    run_conv(state, &campplus->tdnn, &(struct conv1d_call){.in = &frames, .out = &in});
    tap_sequence(state, taps, "tdnn", &in, campplus->tdnn.n_out);
    for (size_t b = 0; b < CAMPPLUS_N_BLOCKS; b++) {
        const struct dense_block *block = &campplus->blocks[b];
        for (size_t i = 0; i < block->n_layers; i++) {
            if (cancel_asked(&state->cancel)) {
                team_close(state->team);
                return status_fail(err, VP_ERR_CANCELLED, "the result is not wanted any more");
            }
            run_layer(state, &block->layers[i], &in);
        }
        const size_t n_places = b + 1 < CAMPPLUS_N_BLOCKS
                                    ? campplus->blocks[b + 1].n_places
                                    : campplus->kernel->n_places(block->n_out);
        const struct sequence out =
            sequence_in(state, state->blocks[(b + 1) % 2], n_places, n_half);
        run_conv(state, &block->transit, &(struct conv1d_call){.in = &in, .out = &out});
        tap_sequence(state, taps, names[b], &out, block->n_out);
        in = out;
    }
    team_close(state->team);
    for (size_t t = 0; t < n_half; t++)
        copy_channels(&in, campplus->n_channels, t, rows + t * campplus->n_channels);
    return VP_OK;
}

static enum vp_status embed_window(struct campplus_state *state, const float *features,
                                   size_t n_frames, float *embedding, const struct taps *taps,
                                   struct vp_err *err)
{
    const struct campplus *campplus = state->campplus;
    const enum vp_status status = run_window(state, features, n_frames, state->rows, taps, err);
    if (status != VP_OK)
        return status;
    stats_pool_weighted(state->rows, campplus_half(n_frames), campplus->n_channels, state->weights,
                        state->pool_memory, state->pooled);
    run_linear(&campplus->last, state->pooled, 1, embedding, campplus->last.n_out);
    if (taps->tap != NULL) {
        taps->tap(taps->ctx, "pooled", 2 * campplus->n_channels, 1, 0, state->pooled);
        taps->tap(taps->ctx, "embedding", campplus->last.n_out, 1, 0, embedding);
    }
    return VP_OK;
}

/* ---- long clips ---------------------------------------------------------------------------------
 */

/* Adds share times the direction of `one` to sum. */
static enum vp_status add_direction(const float *one, size_t dim, double share, float *sum,
                                    double *norm, struct vp_err *err)
{
    double squares = 0.0;
    for (size_t i = 0; i < dim; i++)
        squares += (double)one[i] * (double)one[i];
    *norm = sqrt(squares);
    if (!(*norm > 0.0 && isfinite(*norm)))
        return status_fail(err, VP_ERR_INFERENCE,
                           "the network's output for a part of the clip has norm %g", *norm);
    for (size_t i = 0; i < dim; i++)
        sum[i] += (float)(share / *norm * (double)one[i]);
    return VP_OK;
}

enum vp_status campplus_forward(struct campplus_state *state, const float *features,
                                size_t n_frames, float *embedding, vp_tap tap, void *tap_ctx,
                                struct vp_err *err)
{
    const struct taps taps = {tap, tap_ctx};
    const size_t dim = state->campplus->last.n_out, n_mels = resnet_n_mels(state->campplus->head);
    if (n_frames > state->max_frames)
        return status_fail_limit(err, VP_ERR_ARGUMENT, (double)n_frames, (double)state->max_frames,
                                 "the network takes up to %zu frames, not %zu", state->max_frames,
                                 n_frames);
    if (n_frames <= CAMPPLUS_MOST_FRAMES)
        return embed_window(state, features, n_frames, embedding, &taps, err);
    const size_t n_windows = (n_frames - 1) / CAMPPLUS_WINDOW_FRAMES + 1;
    double norms = 0.0;
    memset(state->sum, 0, dim * sizeof *state->sum);
    for (size_t w = 0; w < n_windows; w++) {
        const size_t first = n_frames * w / n_windows;
        const size_t n = n_frames * (w + 1) / n_windows - first;
        const double share = (double)n / (double)n_frames;
        double norm = 0.0;
        enum vp_status status =
            embed_window(state, features + first * n_mels, n, state->one, &taps, err);
        if (status == VP_OK)
            status = add_direction(state->one, dim, share, state->sum, &norm, err);
        if (status != VP_OK)
            return status;
        norms += share * norm;
    }
    for (size_t i = 0; i < dim; i++)
        embedding[i] = (float)(norms * (double)state->sum[i]);
    return VP_OK;
}

void campplus_watch(struct campplus_state *state, struct cancel cancel)
{
    state->cancel = cancel;
    resnet_watch(state->head, cancel);
}

void campplus_help(struct campplus_state *state, bool (*leave)(void *ctx), void *ctx)
{
    team_help(state->team, leave, ctx);
}
