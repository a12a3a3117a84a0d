/*
 * The network at work, run as a stream.
 *
 * Streams hold no more than what their readers still need, so the activations of a ten-minute clip
 * take the room of a ten-second one, and those of the first stages, where frames are many, stay in
 * the cache.
 *
 * One rule schedules everything: run the deepest op that has input for its gate of output frames
 * (or for all that is left of the clip); when there is none, feed features. A gate is a whole batch
 * where a stage begins and one tile inside it: so a batch goes through a stage op by op, large
 * enough to pay for reading the weights, and what waits before an op is less than its gate. Output
 * comes in whole tiles, so that where tiles begin does not depend on the batches.
 *
 * Shapes, published model, time last: [1,80,T] stem [32,80,T] layer1 [32,80,T] layer2
 * [64,40,ceil(T/2)] layer3 [128,20,ceil(T/4)] layer4 [256,10,ceil(T/8)] pool [5120] fc [256].
 */
#include "network/resnet_state.h"

#include "network/resnet.h"

#include <cblas.h>
#include <string.h>

/* The clip's length is known: tiles and batches of each stage. */
static void set_paces(struct resnet_state *state)
{
    const struct resnet *resnet = state->resnet;
    for (size_t first = 0, end; first < resnet->n_ops; first = end) {
        const size_t n_frames = state->streams[first + 1].n_frames;
        size_t batch = 0;
        for (end = first; end < resnet->n_ops && (end == first || !resnet->ops[end].begins_stage);
             end++) {
            struct conv_tiling *tiling = &state->paces[end].tiling;
            resnet->kernel->tiling(&resnet->ops[end].conv, n_frames, tiling);
            if (tiling->most > batch)
                batch = tiling->most;
        }
        if (state->shared)
            batch *= resnet->ops[first].n_calls;
        for (size_t i = first; i < end; i++) {
            struct pace *pace = &state->paces[i];
            pace->batch = batch;
            pace->gate = i == first ? batch - batch % pace->tiling.tile : pace->tiling.tile;
        }
    }
}

static void start_clip(struct resnet_state *state, size_t n_frames)
{
    const struct resnet *resnet = state->resnet;
    for (size_t i = 0; i < state->n_pools; i++)
        frame_pool_reset(&state->pools[i]);
    for (size_t i = 0; i <= resnet->n_ops; i++) {
        if (i > 0)
            n_frames = (n_frames - 1) / resnet->ops[i - 1].conv.time_stride + 1;
        stream_start(&state->streams[i], n_frames);
    }
    set_paces(state);
    stats_pool_start(&state->pool, resnet->ops[resnet->n_ops - 1].conv.out.n_floats,
                     state->pool_memory);
}

/* Output frames that op i can make now: a batch, whole tiles, what is left of the clip, or none. */
static size_t op_ready(const struct resnet_state *state, size_t i)
{
    const struct conv *conv = &state->resnet->ops[i].conv;
    const struct pace *pace = &state->paces[i];
    const struct stream *in = &state->streams[i], *out = &state->streams[i + 1];
    const size_t left = out->n_frames - out->n_written;
    size_t n = left;
    if (in->n_written < in->n_frames) { /* a 3x3 looks one frame ahead */
        const size_t ahead = conv->kernel / 2;
        const size_t end =
            in->n_written < ahead + 1 ? 0 : (in->n_written - 1 - ahead) / conv->time_stride + 1;
        n = end > out->n_written ? end - out->n_written : 0;
        if (n < pace->gate)
            return 0;
    }
    if (n > pace->batch)
        n = pace->batch;
    return n < left ? n - n % pace->tiling.tile : n;
}

/* Points in[0..n_in-1] at the frames from t on; zeros where the clip has not begun or is over. */
static void gather(const struct resnet_state *state, const struct stream *stream, ptrdiff_t t,
                   size_t n_in, const float **in)
{
    for (size_t i = 0; i < n_in; i++, t++)
        in[i] =
            t < 0 || (size_t)t >= stream->n_frames ? state->zeros : stream_frame(stream, (size_t)t);
}

/* Points residual[0..n-1] at what op adds to its output frames from t on. */
static void gather_residual(const struct resnet_state *state, const struct op *op, size_t t,
                            size_t n, const struct seat *seat)
{
    const struct stream *stream = &state->streams[op->residual];
    const struct conv *shortcut = &op->shortcut;
    for (size_t i = 0; i < n; i++)
        seat->residual[i] = op->has_shortcut ? seat->shortcut + i * op->conv.out.n_floats
                                             : stream_frame(stream, t + i);
    for (size_t done = 0; op->has_shortcut && done < n; done += shortcut->most) {
        const size_t left = n - done;
        const struct conv_frames frames = {.in = seat->in,
                                           .out = seat->out,
                                           .tile = 1,
                                           .n = left < shortcut->most ? left : shortcut->most};
        gather(state, stream, (ptrdiff_t)((t + done) * shortcut->time_stride),
               conv_n_in(shortcut, 1, frames.n), seat->in);
        for (size_t i = 0; i < frames.n; i++)
            seat->out[i] = seat->shortcut + (done + i) * op->conv.out.n_floats;
        state->resnet->kernel->run(shortcut, &frames, seat->scratch);
    }
}

/* One step of the schedule: output frames first .. first + n - 1 of op i, in parts. */
struct step {
    const struct resnet_state *state;
    size_t i, first, n, n_part;
};

static void run_part(void *ctx, size_t part, size_t seat_at)
{
    const struct step *step = ctx;
    const struct resnet_state *state = step->state;
    const struct op *op = &state->resnet->ops[step->i];
    const struct seat *seat = &state->seats[seat_at];
    const size_t tile = state->paces[step->i].tiling.tile;
    const size_t left = step->n - part * step->n_part, t = step->first + part * step->n_part;
    const size_t n = left < step->n_part ? left : step->n_part;
    if (op->has_residual)
        gather_residual(state, op, t, n, seat);
    gather(state, &state->streams[step->i],
           (ptrdiff_t)(t * op->conv.time_stride) - (op->conv.kernel == 3),
           conv_n_in(&op->conv, tile, n), seat->in);
    for (size_t k = 0; k < n; k++)
        seat->out[k] = stream_frame(&state->streams[step->i + 1], t + k);
    const struct conv_frames frames = {.in = seat->in,
                                       .residual = op->has_residual ? seat->residual : NULL,
                                       .out = seat->out,
                                       .tile = tile,
                                       .n = n,
                                       .relu = op->relu};
    state->resnet->kernel->run(&op->conv, &frames, seat->scratch);
}

/* Gives back the frames of stream i that neither of its readers needs any more. */
static void release(struct resnet_state *state, size_t i)
{
    const struct resnet *resnet = state->resnet;
    const struct op *op = &resnet->ops[i];
    struct stream *stream = &state->streams[i];
    const struct stream *out = &state->streams[i + 1];
    size_t until = out->n_written * op->conv.time_stride;
    if (op->conv.kernel == 3 && until > 0)
        until--;
    if (out->n_written == out->n_frames)
        until = stream->n_written;
    const size_t reader = op->residual_reader;
    if (reader < resnet->n_ops) {
        const struct op *adds = &resnet->ops[reader];
        const struct stream *sum = &state->streams[reader + 1];
        const size_t stride = adds->has_shortcut ? adds->shortcut.time_stride : 1;
        if (sum->n_written < sum->n_frames && sum->n_written * stride < until)
            until = sum->n_written * stride;
    }
    stream_release(stream, until);
}

/* The next n output frames of op i: a part for each thread, no more than the kernel takes at once.
 * Where tiles begin does not depend on the parts, so neither does any bit. */
static void run_op(struct resnet_state *state, size_t i, size_t n)
{
    const struct op *op = &state->resnet->ops[i];
    struct stream *out = &state->streams[i + 1];
    const struct conv_tiling *tiling = &state->paces[i].tiling;
    const size_t n_seats = state->team.n_seats, grain = tiling->grain;
    const size_t n_grains = (n + grain - 1) / grain;
    const size_t share = (n_grains + n_seats - 1) / n_seats * grain;
    struct step step = {.state = state,
                        .i = i,
                        .first = out->n_written,
                        .n = n,
                        .n_part = share < tiling->most ? share : tiling->most};
    for (size_t k = 0; k < n; k++)
        (void)stream_append(out); /* the parts look it up */
    team_run(&state->team, (n + step.n_part - 1) / step.n_part, run_part, &step);
    release(state, i);
    if (op->has_residual)
        release(state, op->residual);
}

/* A frame as [C][F]. */
static void copy_frame(const struct frame_layout *layout, const float *frame, float *out)
{
    for (size_t c = 0; c < layout->n_channels; c++)
        for (size_t f = 0; f < layout->n_freq; f++)
            out[c * layout->n_freq + f] = frame[frame_index(layout, c, f)];
}

/* The last n frames of the last stream, to taker, or into the statistics where that is NULL. */
static void pool_frames(struct resnet_state *state, size_t n, const struct resnet_taker *taker)
{
    struct stream *stream = &state->streams[state->resnet->n_ops];
    for (size_t i = 0; i < n; i++) {
        const size_t t = stream->n_written - n + i;
        state->seats[0].residual[i] = stream_frame(stream, t);
        if (taker != NULL)
            taker->take(taker->ctx, stream->pool->layout, t, stream_frame(stream, t));
    }
    if (taker == NULL)
        stats_pool_add(&state->pool, state->seats[0].residual, n);
    stream_release(stream, stream->n_written);
}

/* The last n frames of a stage, as [C][F], to the tap. */
static void tap_stage(struct resnet_state *state, const char *stage, const struct stream *stream,
                      size_t n, const struct taps *taps)
{
    const struct frame_layout *layout = stream->pool->layout;
    for (size_t t = stream->n_written - n; t < stream->n_written; t++) {
        copy_frame(layout, stream_frame(stream, t), state->frame);
        taps->tap(taps->ctx, stage, layout->n_channels, layout->n_freq, t, state->frame);
    }
}

/* Up to one batch of the first op. */
static void feed(struct resnet_state *state, const float *features)
{
    struct stream *stream = &state->streams[0];
    const struct frame_layout *layout = stream->pool->layout;
    for (size_t n = state->paces[0].batch; n > 0 && stream->n_written < stream->n_frames; n--) {
        const float *row = features + stream->n_written * layout->n_freq;
        float *frame = stream_append(stream);
        for (size_t f = 0; f < layout->n_freq; f++)
            frame[frame_index(layout, 0, f)] = row[f];
    }
}

/* The deepest op that is ready, or n_ops. */
static size_t next_op(const struct resnet_state *state, size_t *n)
{
    for (size_t i = state->resnet->n_ops; i-- > 0;)
        if ((*n = op_ready(state, i)) > 0)
            return i;
    return state->resnet->n_ops;
}

/* Statistics [2 C F] in pooled -> embedding [dim]. */
static void last_layer(const struct resnet_state *state, float *embedding)
{
    const struct resnet *resnet = state->resnet;
    memcpy(embedding, resnet->fc_bias, resnet->dim * sizeof *embedding);
    cblas_sgemv(CblasRowMajor, CblasNoTrans, (int)resnet->dim, (int)resnet->n_pooled, 1.0F,
                resnet->fc_weight, (int)resnet->n_pooled, state->pooled, 1, 1.0F, embedding, 1);
}

/* Statistics [2 C F] (means, then stds; row c F + f) -> embedding [dim]. */
static void finish_clip(struct resnet_state *state, float *embedding, const struct taps *taps)
{
    const struct resnet *resnet = state->resnet;
    const struct frame_layout *layout = &resnet->ops[resnet->n_ops - 1].conv.out;
    const size_t n_rows = layout->n_channels * layout->n_freq;
    for (size_t c = 0; c < layout->n_channels; c++)
        for (size_t f = 0; f < layout->n_freq; f++) {
            const size_t row = c * layout->n_freq + f, i = frame_index(layout, c, f);
            state->pooled[row] = stats_pool_mean(&state->pool, i);
            state->pooled[n_rows + row] = stats_pool_std(&state->pool, i);
        }
    last_layer(state, embedding);
    if (taps->tap != NULL) {
        taps->tap(taps->ctx, "pooled", resnet->n_pooled, 1, 0, state->pooled);
        taps->tap(taps->ctx, "embedding", resnet->dim, 1, 0, embedding);
    }
}

enum vp_status resnet_frames(struct resnet_state *state, const float *features, size_t n_frames,
                             const struct resnet_taker *taker, const struct taps *taps,
                             struct vp_err *err)
{
    const struct resnet *resnet = state->resnet;
    if (n_frames < RESNET_MIN_FRAMES || n_frames > state->max_frames)
        return status_fail_limit(
            err, VP_ERR_ARGUMENT, (double)n_frames,
            (double)(n_frames > state->max_frames ? state->max_frames : RESNET_MIN_FRAMES),
            "the network takes %u to %zu frames, not %zu", RESNET_MIN_FRAMES, state->max_frames,
            n_frames);

    start_clip(state, n_frames);
    team_open(&state->team);
    const struct stream *last = &state->streams[resnet->n_ops];
    bool is_cancelled = false;
    while (last->n_written < last->n_frames) {
        size_t n = 0;
        if ((is_cancelled = cancel_asked(&state->cancel)))
            break;
        const size_t i = next_op(state, &n);
        if (i == resnet->n_ops) {
            feed(state, features);
            continue;
        }
        run_op(state, i, n);
        if (taps->tap != NULL && resnet->ops[i].stage != NULL)
            tap_stage(state, resnet->ops[i].stage, &state->streams[i + 1], n, taps);
        if (i + 1 == resnet->n_ops)
            pool_frames(state, n, taker);
    }
    team_close(&state->team);
    return is_cancelled ? status_fail(err, VP_ERR_CANCELLED, "the result is not wanted any more")
                        : VP_OK;
}

enum vp_status resnet_forward(struct resnet_state *state, const float *features, size_t n_frames,
                              float *embedding, vp_tap tap, void *tap_ctx, struct vp_err *err)
{
    const struct taps taps = {tap, tap_ctx};
    const enum vp_status status = resnet_frames(state, features, n_frames, NULL, &taps, err);
    if (status == VP_OK)
        finish_clip(state, embedding, &taps);
    return status;
}

size_t resnet_trunk_frames(const struct resnet *resnet, size_t n_frames)
{
    for (size_t i = 0; i < resnet->n_ops; i++)
        n_frames = (n_frames - 1) / resnet->ops[i].conv.time_stride + 1;
    return n_frames;
}

size_t resnet_trunk_rows(const struct resnet *resnet)
{
    return resnet->n_pooled / 2;
}

/* A frame to its place in a trunk. */
static void take_trunk(void *ctx, const struct frame_layout *layout, size_t t, const float *frame)
{
    float *trunk = ctx;
    copy_frame(layout, frame, trunk + t * layout->n_channels * layout->n_freq);
}

enum vp_status resnet_trunk(struct resnet_state *state, const float *features, size_t n_frames,
                            float *trunk, struct vp_err *err)
{
    const struct resnet_taker taker = {take_trunk, trunk};
    return resnet_frames(state, features, n_frames, &taker, &(struct taps){0}, err);
}

struct team *resnet_team(struct resnet_state *state)
{
    return &state->team;
}

void resnet_embed_stats(const struct resnet *resnet, const float *stats, size_t n,
                        float *embeddings)
{
    for (size_t i = 0; i < n; i++)
        memcpy(embeddings + i * resnet->dim, resnet->fc_bias, resnet->dim * sizeof *embeddings);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)n, (int)resnet->dim,
                (int)resnet->n_pooled, 1.0F, stats, (int)resnet->n_pooled, resnet->fc_weight,
                (int)resnet->n_pooled, 1.0F, embeddings, (int)resnet->dim);
}

void resnet_watch(struct resnet_state *state, struct cancel cancel)
{
    state->cancel = cancel;
}

void resnet_help(struct resnet_state *state, bool (*leave)(void *ctx), void *ctx)
{
    team_help(&state->team, leave, ctx);
}
