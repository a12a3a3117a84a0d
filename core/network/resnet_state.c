/* The network's workspace: streams, pools of frames and scratch, sized for the longest steps. */
#include "network/resnet_state.h"

#include "network/resnet.h"

#include <stdlib.h>
#include <string.h>

static size_t max_size(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t most_batch(const struct resnet_state *state, const struct op *op)
{
    return (state->shared ? op->n_calls : 1) * op->batch;
}

/*
 * Frames that may wait in stream i while other ops run. An op that waits has seen at most
 * stride * (done + gate) + 1 frames, done being its output so far, and still needs the frame before
 * stride * done; two tiles where the gate is one, because its input may come in batches that are
 * larger than its own by a tile. The reader of a residual lags by the sum of all between.
 */
static size_t stream_waiting(const struct resnet_state *state, size_t i)
{
    const struct resnet *resnet = state->resnet;
    if (i == resnet->n_ops)
        return 0; /* pooled at once */
    const size_t reader = resnet->ops[i].residual_reader;
    const size_t last = reader < resnet->n_ops ? reader : i;
    size_t lag = 0;
    for (size_t r = last + 1; r-- > i;) {
        const struct op *op = &resnet->ops[r];
        const size_t gate = op->begins_stage ? most_batch(state, op) : op->gate;
        lag = op->conv.time_stride * (lag + gate + op->conv.most_tile) + 2;
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
        const size_t batch = most_batch(state, writer);
        const size_t waiting = stream_waiting(state, i);
        stream->pool = pool_of(state, i == 0 ? &resnet->features : &writer->conv.out);
        stream->pool->n_frames += waiting;
        if (first_of_its_pool(state, i))
            stream->pool->n_frames += 3 * batch;
        stream->n_slots = 2 * batch + waiting;
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

static void place_buffers(void *ctx, struct arena *arena)
{
    struct resnet_state *state = ctx;
    const struct resnet *resnet = state->resnet;
    size_t largest = resnet->features.n_floats, n_shortcut = 0, n_scratch = 0, n_frame = 0;
    for (size_t i = 0; i < state->n_pools; i++) {
        struct frame_pool *pool = &state->pools[i];
        pool->memory = arena_rows(arena, pool->n_frames, pool->layout->n_floats);
        largest = max_size(largest, pool->layout->n_floats);
        n_frame = max_size(n_frame, pool->layout->n_channels * pool->layout->n_freq);
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
    state->zeros = arena_floats(arena, largest);
    state->pooled = arena_floats(arena, resnet->n_pooled);
    state->frame = arena_floats(arena, n_frame);
    state->pool_memory = (double *)(void *)arena_rows(arena, STATS_POOL_DOUBLES(2), n_values);
    for (size_t i = 0; i < state->team.n_seats; i++) {
        state->seats[i].shortcut = arena_floats(arena, n_shortcut);
        state->seats[i].scratch = arena_floats(arena, n_scratch);
    }
}

/* Pointer arrays for the largest call of any op. */
static enum vp_status new_seats(struct resnet_state *state, struct vp_err *err)
{
    const struct resnet *resnet = state->resnet;
    size_t n_in = 1, n_out = 1;
    for (size_t i = 0; i < resnet->n_ops; i++) {
        const struct conv *conv = &resnet->ops[i].conv;
        n_in = max_size(n_in, conv_n_in(conv, conv->most_tile, conv->most));
        n_out = max_size(n_out, most_batch(state, &resnet->ops[i]));
        if (resnet->ops[i].has_shortcut)
            n_in = max_size(n_in, conv_n_in(&resnet->ops[i].shortcut, 1, conv->most));
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
    struct conv_tiling stem;
    resnet->kernel->tiling(&resnet->ops[0].conv, 1, &stem);
    state->shared = n_threads > 1 && stem.grain < stem.most;
    state->pools = calloc(resnet->n_ops + 1, sizeof *state->pools);
    state->streams = calloc(resnet->n_ops + 1, sizeof *state->streams);
    state->paces = calloc(resnet->n_ops, sizeof *state->paces);
    state->seats = calloc(n_threads, sizeof *state->seats);
    enum vp_status status = VP_OK;
    if (state->pools == NULL || state->streams == NULL || state->paces == NULL ||
        state->seats == NULL)
        status = status_no_memory(err, "the network's scratch", sizeof *state);
    if (status == VP_OK)
        status = new_seats(state, err);
    if (status == VP_OK)
        status = plan_streams(state, err);
    if (status == VP_OK)
        status = arena_build(&state->arena, place_buffers, state, "the network's scratch", err);
    if (status == VP_OK)
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
    free(state->paces);
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
