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
#include "arena.h"
#include "resnet_ops.h"
#include "stats_pool.h"
#include "stream.h"
#include "team.h"

#include <cblas.h>
#include <stdlib.h>
#include <string.h>

/* What a thread needs for one call of a kernel. */
struct seat {
    float *scratch;               /* of the kernel */
    float *shortcut;              /* the shortcut's output */
    const float **in, **residual; /* owned, pointers to frames */
    float **out;                  /* owned */
};

struct resnet_state {
    const struct resnet *resnet; /* borrowed */
    size_t max_frames;
    struct arena arena;
    size_t n_pools;
    struct frame_pool *pools; /* owned, [n_ops + 1], the first n_pools in use */
    struct stream *streams;   /* owned, [n_ops + 1]; 0 holds the features */
    float *zeros;             /* a frame before the beginning and after the end */
    float *pooled, *frame;    /* [n_pooled]; one frame as [C][F], for taps */
    double *pool_memory;
    struct stats_pool pool;
    struct team team;   /* of the threads that work on the clip */
    struct seat *seats; /* owned, [team.n_seats] */
};

static size_t max_size(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* ---- state -------------------------------------------------------------------------------- */

/*
 * Frames that may wait in stream i while other ops run. An op that waits has seen at most
 * stride * (done + gate) + 1 frames, done being its output so far, and still needs the frame before
 * stride * done; two tiles where the gate is one, because its input may come in batches that are
 * larger than its own by a tile. The reader of a residual lags by the sum of all between.
 */
static size_t stream_waiting(const struct resnet *resnet, size_t i)
{
    if (i == resnet->n_ops)
        return 0; /* pooled at once */
    const size_t reader = resnet->ops[i].residual_reader;
    const size_t last = reader < resnet->n_ops ? reader : i;
    size_t lag = 0;
    for (size_t r = last + 1; r-- > i;) {
        const struct op *op = &resnet->ops[r];
        lag = op->conv.stride * (lag + op->gate + op->conv.tile) + 2;
    }
    return lag;
}

/* The pool of a layout, made when there is none. */
static struct frame_pool *pool_of(struct resnet_state *state, const struct frame_layout *layout)
{
    size_t i = 0;
    while (i < state->n_pools && memcmp(state->pools[i].layout, layout, sizeof *layout) != 0)
        i++;
    if (i == state->n_pools)
        state->pools[state->n_pools++].layout = layout;
    return &state->pools[i];
}

/* Is stream i the first of its stage that takes frames from its pool? */
static bool first_of_its_pool(const struct resnet_state *state, size_t i)
{
    for (size_t j = i; j > 1 && !state->resnet->ops[j - 1].begins_stage; j--)
        if (state->streams[j - 1].pool == state->streams[i].pool)
            return false;
    return true;
}

/*
 * Sizes of streams and pools. The batch on its way through a stage is in at most three streams:
 * what the op reads, what it writes and what it adds; all others hold what waits. Streams of one
 * stage may differ in layout (Bottleneck): each pool is sized for the batch.
 */
static enum vp_status plan_streams(struct resnet_state *state, struct vp_err *err)
{
    const struct resnet *resnet = state->resnet;
    for (size_t i = 0; i <= resnet->n_ops; i++) {
        struct stream *stream = &state->streams[i];
        const struct op *writer = &resnet->ops[i == 0 ? 0 : i - 1];
        const size_t waiting = stream_waiting(resnet, i);
        stream->pool = pool_of(state, i == 0 ? &resnet->features : &writer->conv.out);
        stream->pool->n_frames += waiting;
        if (first_of_its_pool(state, i))
            stream->pool->n_frames += 3 * writer->batch;
        stream->n_slots = 2 * writer->batch + waiting;
        stream->slots = calloc(stream->n_slots, sizeof *stream->slots);
        if (stream->slots == NULL)
            return status_no_memory(err, "the network's scratch", stream->n_slots);
    }
    for (size_t i = 0; i < state->n_pools; i++) {
        state->pools[i].free = calloc(state->pools[i].n_frames, sizeof *state->pools[i].free);
        if (state->pools[i].free == NULL)
            return status_no_memory(err, "the network's scratch", state->pools[i].n_frames);
    }
    return VP_OK;
}

/* Plans the arena (place = false: adds the size of each piece to n_floats of them, in n_bytes) or
 * takes the pieces from it. */
static bool piece(struct arena *arena, bool place, size_t n, size_t n_floats, size_t *n_bytes,
                  float **out)
{
    size_t total, bytes;
    if (!size_multiply(n, n_floats, &total) || !arena_floats_size(total, &bytes) ||
        !size_add(*n_bytes, bytes, n_bytes))
        return false;
    if (place)
        *out = arena_floats(arena, total);
    return true;
}

static bool layout_arena(struct resnet_state *state, bool place, size_t *n_bytes)
{
    const struct resnet *resnet = state->resnet;
    struct arena *arena = &state->arena;
    size_t largest = resnet->features.n_floats, n_shortcut = 0, n_scratch = 0, n_frame = 0;
    bool fits = true;
    *n_bytes = 0;
    for (size_t i = 0; i < state->n_pools; i++) {
        const struct frame_layout *layout = state->pools[i].layout;
        fits = fits && piece(arena, place, state->pools[i].n_frames, layout->n_floats, n_bytes,
                             &state->pools[i].memory);
        largest = max_size(largest, layout->n_floats);
        n_frame = max_size(n_frame, layout->n_channels * layout->n_freq);
    }
    for (size_t i = 0; i < resnet->n_ops; i++) {
        const struct op *op = &resnet->ops[i];
        n_scratch = max_size(n_scratch, op->conv.scratch_floats);
        if (op->has_shortcut) {
            n_scratch = max_size(n_scratch, op->shortcut.scratch_floats);
            n_shortcut = max_size(n_shortcut, op->conv.most * op->conv.out.n_floats);
        }
    }
    const size_t n_values = resnet->ops[resnet->n_ops - 1].conv.out.n_floats;
    float *pool_memory = NULL;
    fits = fits && piece(arena, place, 1, largest, n_bytes, &state->zeros) &&
           piece(arena, place, 1, resnet->n_pooled, n_bytes, &state->pooled) &&
           piece(arena, place, 1, n_frame, n_bytes, &state->frame) &&
           piece(arena, place, STATS_POOL_DOUBLES(2), n_values, n_bytes, &pool_memory);
    for (size_t i = 0; i < state->team.n_seats; i++)
        fits = fits && piece(arena, place, 1, n_shortcut, n_bytes, &state->seats[i].shortcut) &&
               piece(arena, place, 1, n_scratch, n_bytes, &state->seats[i].scratch);
    state->pool_memory = (double *)(void *)pool_memory;
    return fits;
}

/* Pointer arrays for the largest call of any op. */
static enum vp_status new_seats(struct resnet_state *state, struct vp_err *err)
{
    const struct resnet *resnet = state->resnet;
    size_t n_in = 1, n_out = 1;
    for (size_t i = 0; i < resnet->n_ops; i++) {
        const struct conv *conv = &resnet->ops[i].conv;
        n_in = max_size(n_in, conv_n_in(conv, conv->most));
        n_out = max_size(n_out, resnet->ops[i].batch);
        if (resnet->ops[i].has_shortcut)
            n_in = max_size(n_in, conv_n_in(&resnet->ops[i].shortcut, conv->most));
    }
    for (size_t i = 0; i < state->team.n_seats; i++) {
        struct seat *seat = &state->seats[i];
        seat->in = calloc(n_in, sizeof *seat->in);
        seat->residual = calloc(n_out, sizeof *seat->residual);
        seat->out = calloc(n_out, sizeof *seat->out);
        if (seat->in == NULL || seat->residual == NULL || seat->out == NULL)
            return status_no_memory(err, "the network's scratch", n_in);
    }
    return VP_OK;
}

enum vp_status resnet_state_new(const struct resnet *resnet, size_t max_frames, size_t n_threads,
                                struct resnet_state **out, struct vp_err *err)
{
    *out = NULL;
    struct resnet_state *state = calloc(1, sizeof *state);
    if (state == NULL)
        return status_no_memory(err, "the network's scratch", sizeof *state);
    state->resnet = resnet;
    state->max_frames = max_frames;
    team_init(&state->team, n_threads);
    state->pools = calloc(resnet->n_ops + 1, sizeof *state->pools);
    state->streams = calloc(resnet->n_ops + 1, sizeof *state->streams);
    state->seats = calloc(n_threads, sizeof *state->seats);
    size_t n_bytes = 0;
    enum vp_status status = VP_OK;
    if (state->pools == NULL || state->streams == NULL || state->seats == NULL)
        status = status_no_memory(err, "the network's scratch", sizeof *state);
    if (status == VP_OK)
        status = new_seats(state, err);
    if (status == VP_OK)
        status = plan_streams(state, err);
    if (status == VP_OK && !layout_arena(state, false, &n_bytes))
        status = status_no_memory(err, "the network's scratch", SIZE_MAX);
    if (status == VP_OK)
        status = arena_init(&state->arena, n_bytes, "the network's scratch", err);
    if (status == VP_OK && layout_arena(state, true, &n_bytes))
        *out = state;
    else
        resnet_state_free(state);
    return status;
}

void resnet_state_free(struct resnet_state *state)
{
    if (state == NULL)
        return;
    for (size_t i = 0; state->streams != NULL && i <= state->resnet->n_ops; i++)
        free(state->streams[i].slots);
    for (size_t i = 0; i < state->n_pools; i++)
        free(state->pools[i].free);
    arena_free(&state->arena);
    free(state->pools);
    free(state->streams);
    for (size_t i = 0; state->seats != NULL && i < state->team.n_seats; i++) {
        free(state->seats[i].in);
        free(state->seats[i].residual);
        free(state->seats[i].out);
    }
    free(state->seats);
    free(state);
}

size_t resnet_state_bytes(const struct resnet_state *state)
{
    return sizeof *state + state->arena.n_bytes;
}

/* ---- one clip ----------------------------------------------------------------------------- */

static void start_clip(struct resnet_state *state, size_t n_frames)
{
    const struct resnet *resnet = state->resnet;
    for (size_t i = 0; i < state->n_pools; i++)
        frame_pool_reset(&state->pools[i]);
    for (size_t i = 0; i <= resnet->n_ops; i++) {
        if (i > 0)
            n_frames = (n_frames - 1) / resnet->ops[i - 1].conv.stride + 1;
        stream_start(&state->streams[i], n_frames);
    }
    stats_pool_start(&state->pool, resnet->ops[resnet->n_ops - 1].conv.out.n_floats,
                     state->pool_memory);
}

/* Output frames that op i can make now: a batch, whole tiles, what is left of the clip, or none. */
static size_t op_ready(const struct resnet_state *state, size_t i)
{
    const struct op *op = &state->resnet->ops[i];
    const struct conv *conv = &op->conv;
    const struct stream *in = &state->streams[i], *out = &state->streams[i + 1];
    const size_t left = out->n_frames - out->n_written;
    size_t n = left;
    if (in->n_written < in->n_frames) { /* a 3x3 looks one frame ahead */
        const size_t ahead = conv->kernel / 2;
        const size_t end =
            in->n_written < ahead + 1 ? 0 : (in->n_written - 1 - ahead) / conv->stride + 1;
        n = end > out->n_written ? end - out->n_written : 0;
        if (n < op->gate)
            return 0;
    }
    if (n > op->batch)
        n = op->batch;
    return n < left ? n - n % conv->tile : n;
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
        const struct conv_frames frames = {
            .in = seat->in, .out = seat->out, .n = left < shortcut->most ? left : shortcut->most};
        gather(state, stream, (ptrdiff_t)((t + done) * shortcut->stride),
               conv_n_in(shortcut, frames.n), seat->in);
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
    const size_t left = step->n - part * step->n_part, t = step->first + part * step->n_part;
    const size_t n = left < step->n_part ? left : step->n_part;
    if (op->has_residual)
        gather_residual(state, op, t, n, seat);
    gather(state, &state->streams[step->i],
           (ptrdiff_t)(t * op->conv.stride) - (op->conv.kernel == 3), conv_n_in(&op->conv, n),
           seat->in);
    for (size_t k = 0; k < n; k++)
        seat->out[k] = stream_frame(&state->streams[step->i + 1], t + k);
    const struct conv_frames frames = {.in = seat->in,
                                       .residual = op->has_residual ? seat->residual : NULL,
                                       .out = seat->out,
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
    size_t until = out->n_written * op->conv.stride;
    if (op->conv.kernel == 3 && until > 0)
        until--;
    if (out->n_written == out->n_frames)
        until = stream->n_written;
    const size_t reader = op->residual_reader;
    if (reader < resnet->n_ops) {
        const struct op *adds = &resnet->ops[reader];
        const struct stream *sum = &state->streams[reader + 1];
        const size_t stride = adds->has_shortcut ? adds->shortcut.stride : 1;
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
    const size_t n_seats = state->team.n_seats, grain = op->conv.grain;
    const size_t n_grains = (n + grain - 1) / grain;
    const size_t share = (n_grains + n_seats - 1) / n_seats * grain;
    struct step step = {.state = state,
                        .i = i,
                        .first = out->n_written,
                        .n = n,
                        .n_part = share < op->conv.most ? share : op->conv.most};
    for (size_t k = 0; k < n; k++)
        (void)stream_append(out); /* the parts look it up */
    team_run(&state->team, (n + step.n_part - 1) / step.n_part, run_part, &step);
    release(state, i);
    if (op->has_residual)
        release(state, op->residual);
}

/* The last n frames of the last stream, into the statistics. */
static void pool_frames(struct resnet_state *state, size_t n)
{
    struct stream *stream = &state->streams[state->resnet->n_ops];
    for (size_t i = 0; i < n; i++)
        state->seats[0].residual[i] = stream_frame(stream, stream->n_written - n + i);
    stats_pool_add(&state->pool, state->seats[0].residual, n);
    stream_release(stream, stream->n_written);
}

/* The last n frames of a stage, as [C][F], to the tap. */
static void tap_stage(struct resnet_state *state, const char *stage, const struct stream *stream,
                      size_t n, vp_tap tap, void *tap_ctx)
{
    const struct frame_layout *layout = stream->pool->layout;
    for (size_t t = stream->n_written - n; t < stream->n_written; t++) {
        const float *frame = stream_frame(stream, t);
        for (size_t c = 0; c < layout->n_channels; c++)
            for (size_t f = 0; f < layout->n_freq; f++)
                state->frame[c * layout->n_freq + f] = frame[frame_index(layout, c, f)];
        tap(tap_ctx, stage, layout->n_channels, layout->n_freq, t, state->frame);
    }
}

/* Up to one batch of the first op. */
static void feed(struct resnet_state *state, const float *features)
{
    struct stream *stream = &state->streams[0];
    const struct frame_layout *layout = stream->pool->layout;
    for (size_t n = state->resnet->ops[0].batch; n > 0 && stream->n_written < stream->n_frames;
         n--) {
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

/* Statistics [2 C F] (means, then stds; row c F + f) -> embedding [dim]. */
static void finish_clip(struct resnet_state *state, float *embedding, vp_tap tap, void *tap_ctx)
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
    memcpy(embedding, resnet->fc_bias, resnet->dim * sizeof *embedding);
    cblas_sgemv(CblasRowMajor, CblasNoTrans, (int)resnet->dim, (int)resnet->n_pooled, 1.0F,
                resnet->fc_weight, (int)resnet->n_pooled, state->pooled, 1, 1.0F, embedding, 1);
    if (tap != NULL) {
        tap(tap_ctx, "pooled", resnet->n_pooled, 1, 0, state->pooled);
        tap(tap_ctx, "embedding", resnet->dim, 1, 0, embedding);
    }
}

enum vp_status resnet_forward(struct resnet_state *state, const float *features, size_t n_frames,
                              float *embedding, vp_tap tap, void *tap_ctx, struct vp_err *err)
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
    while (last->n_written < last->n_frames) {
        size_t n = 0;
        const size_t i = next_op(state, &n);
        if (i == resnet->n_ops) {
            feed(state, features);
            continue;
        }
        run_op(state, i, n);
        if (tap != NULL && resnet->ops[i].stage != NULL)
            tap_stage(state, resnet->ops[i].stage, &state->streams[i + 1], n, tap, tap_ctx);
        if (i + 1 == resnet->n_ops)
            pool_frames(state, n);
    }
    team_close(&state->team);
    finish_clip(state, embedding, tap, tap_ctx);
    return VP_OK;
}

void resnet_help(struct resnet_state *state, bool (*leave)(void *ctx), void *ctx)
{
    team_help(&state->team, leave, ctx);
}
