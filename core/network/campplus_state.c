/* CAM++'s workspace, sized for the longest pass. */
#include "network/campplus.h"

#include "network/campplus_state.h"

#include "network/stats_pool.h"

#include <stdlib.h>

static size_t max_size(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* A sequence of n_places and n_frames: a size that fits no size_t fits no arena either. */
static float *sequence_piece(const struct campplus_state *state, struct arena *arena,
                             size_t n_places, size_t n_frames)
{
    struct sequence sequence;
    size_t n_floats;
    if (!state->campplus->kernel->layout(n_places, n_frames, &sequence, &n_floats))
        n_floats = SIZE_MAX;
    return arena_floats(arena, n_floats);
}

static size_t most_scratch(const struct campplus *campplus)
{
    size_t n = campplus->tdnn.scratch_floats;
    for (size_t b = 0; b < CAMPPLUS_N_BLOCKS; b++) {
        const struct dense_block *block = &campplus->blocks[b];
        n = max_size(n, block->transit.scratch_floats);
        for (size_t i = 0; i < block->n_layers; i++)
            n = max_size(n, max_size(block->layers[i].bottleneck.scratch_floats,
                                     block->layers[i].local.scratch_floats));
    }
    return n;
}

static void place_buffers(void *ctx, struct arena *arena)
{
    struct campplus_state *state = ctx;
    const struct campplus *campplus = state->campplus;
    const size_t n_half = campplus_half(state->max_window), n_channels = campplus->n_channels;
    const size_t n_segments = (n_half - 1) / CAMPPLUS_SEGMENT_FRAMES + 1;
    state->frames = sequence_piece(state, arena, campplus->tdnn.n_places, state->max_window);
    state->bottleneck =
        sequence_piece(state, arena, campplus->kernel->n_places(campplus->most_bottleneck), n_half);
    for (size_t i = 0; i < 2; i++)
        state->blocks[i] = sequence_piece(state, arena, campplus->most_places, n_half);
    state->context = arena_rows(arena, n_segments, campplus->most_bottleneck);
    state->hidden = arena_rows(arena, n_segments, campplus->most_hidden);
    state->gates = arena_rows(arena, n_segments, state->n_gate_floats);
    state->frame = arena_floats(arena, campplus->most_places);
    state->rows = arena_rows(arena, n_half, n_channels);
    state->weights = arena_floats(arena, n_half);
    state->pooled = arena_rows(arena, 2, n_channels);
    state->sum = arena_floats(arena, campplus->last.n_out);
    state->one = arena_floats(arena, campplus->last.n_out);
    state->pool_memory = (double *)(void *)arena_rows(arena, STATS_POOL_DOUBLES(2), n_channels);
    for (size_t i = 0; i < state->n_threads; i++)
        state->scratch[i] = arena_floats(arena, most_scratch(campplus));
}

enum vp_status campplus_state_new(const struct campplus *campplus, size_t max_frames,
                                  size_t n_threads, struct campplus_state **out, struct vp_err *err)
{
    *out = NULL;
    struct campplus_state *state = calloc(1, sizeof *state);
    if (state == NULL)
        return status_no_memory(err, "the network's scratch", sizeof *state);
    state->campplus = campplus;
    state->max_frames = max_frames;
    state->max_window = max_frames < CAMPPLUS_MOST_FRAMES ? max_frames : CAMPPLUS_MOST_FRAMES;
    state->n_threads = n_threads;
    state->n_gate_floats = (campplus->kernel->n_places(campplus->most_growth) + 15) / 16 * 16;
    enum vp_status status =
        resnet_state_new(campplus->head, state->max_window, n_threads, &state->head, err);
    if (status == VP_OK)
        status = arena_build(&state->arena, place_buffers, state, "the network's scratch", err);
    if (status != VP_OK) {
        campplus_state_free(state);
        return status;
    }
    state->team = resnet_team(state->head);
    for (size_t t = 0; t < campplus_half(state->max_window); t++)
        state->weights[t] = 1.0F;
    *out = state;
    return VP_OK;
}

void campplus_state_free(struct campplus_state *state)
{
    if (state == NULL)
        return;
    resnet_state_free(state->head);
    arena_free(&state->arena);
    free(state);
}

size_t campplus_state_bytes(const struct campplus_state *state)
{
    return sizeof *state + state->arena.n_bytes + resnet_state_bytes(state->head);
}
