/*
 * CAM++ over clips of any length: long ones in windows, memory that does not grow with them,
 * lengths that are refused; and the same bits whatever the scratch held before and however many
 * help.
 */
#include "unit.h"

#include "goldens.h"
#include "network/campplus.h"
#include "voice/scratch.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>

#define MODEL "tests/golden/campplus/net.safetensors"
#define DIM   24

static const enum vp_kernel kernels[] = {VP_KERNEL_BLAS, VP_KERNEL_AVX2, VP_KERNEL_AVX512,
                                         VP_KERNEL_NEON};
#define N_KERNELS (sizeof kernels / sizeof kernels[0])

/* ---- lengths -----------------------------------------------------------------------------------
 */

static void unit(float *values)
{
    double norm;
    assert_int_equal(vp_embedding_normalize(values, DIM, &norm, NULL), VP_OK);
}

/* Beyond 10 s: windows of equal length, directions weighted by length. */
static void long_clips_are_averaged(void **state)
{
    (void)state;
    static const struct {
        size_t n_frames, n_windows;
    } clips[] = {{1000, 1}, {1001, 2}, {2003, 3}, {5998, 6}};
    vp_model *model;
    vp_scratch *scratch;
    goldens_open_scratch(MODEL, VP_KERNEL_AUTO, 1, &model, &scratch);
    struct campplus_state *network = scratch->state->campplus;
    for (size_t i = 0; i < sizeof clips / sizeof clips[0]; i++) {
        const size_t n = clips[i].n_frames;
        float whole[DIM], part[DIM], expected[DIM] = {0};
        double norm, norms = 0.0, worst = 0.0;
        goldens_set_clip(scratch, n);
        assert_int_equal(vp_clip_embed(scratch, whole, &norm, NULL), VP_OK);
        for (size_t w = 0, first = 0; w < clips[i].n_windows; w++) {
            const size_t end = n * (w + 1) / clips[i].n_windows;
            const double share = (double)(end - first) / (double)n;
            double part_norm;
            assert_int_equal(campplus_forward(network, scratch->features + first * 80, end - first,
                                              part, NULL, NULL, NULL),
                             VP_OK);
            assert_int_equal(vp_embedding_normalize(part, DIM, &part_norm, NULL), VP_OK);
            norms += share * part_norm;
            for (size_t d = 0; d < DIM; d++)
                expected[d] += (float)share * part[d];
            first = end;
        }
        if (clips[i].n_windows > 1)
            assert_true(norm <= norms * (1.0 + 1e-5)); /* a mean of directions is shorter */
        else
            assert_true(fabs(norm - norms) <= 1e-5 * norms);
        unit(expected);
        unit(whole);
        for (size_t d = 0; d < DIM; d++)
            worst = fmax(worst, fabs((double)whole[d] - (double)expected[d]));
        if (!(worst <= 1e-5))
            fail_msg("T=%zu is off by %g from the mean of %zu windows", n, worst,
                     clips[i].n_windows);
    }
    vp_scratch_free(scratch);
    vp_model_free(model);
}

/* What a worker holds does not grow with the longest clip, but for its samples and features. */
static void memory_does_not_grow(void **state)
{
    (void)state;
    struct vp_limits limits;
    vp_model *model;
    struct campplus_state *ten_seconds, *ten_minutes;
    vp_limits_default(&limits);
    assert_int_equal(vp_model_open(MODEL, VP_KERNEL_AUTO, &model, NULL), VP_OK);
    const struct campplus *network = model->network->campplus;
    assert_int_equal(campplus_state_new(network, 1000, 1, &ten_seconds, NULL), VP_OK);
    assert_int_equal(campplus_state_new(network, 60000, 1, &ten_minutes, NULL), VP_OK);
    assert_int_equal(campplus_state_bytes(ten_seconds), campplus_state_bytes(ten_minutes));
    campplus_state_free(ten_seconds);
    campplus_state_free(ten_minutes);
    vp_model_free(model);
}

static void lengths_outside_are_refused(void **state)
{
    (void)state;
    vp_model *model;
    struct campplus_state *network;
    struct vp_err err;
    float *features = calloc(600 * 80, sizeof *features), embedding[DIM];
    assert_non_null(features);
    assert_int_equal(vp_model_open(MODEL, VP_KERNEL_AUTO, &model, NULL), VP_OK);
    assert_int_equal(campplus_state_new(model->network->campplus, 500, 1, &network, NULL), VP_OK);
    static const size_t wrong[] = {0, 8, 501};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(campplus_forward(network, features, wrong[i], embedding, NULL, NULL, &err),
                         VP_ERR_ARGUMENT);
    campplus_state_free(network);
    vp_model_free(model);
    free(features);
}

/* ---- the same bits ------------------------------------------------------------------------------
 */

static void a_scratch_forgets(void **state)
{
    (void)state;
    for (size_t k = 0; k < N_KERNELS; k++) {
        if (goldens_cannot_run(kernels[k]))
            continue;
        vp_model *model;
        vp_scratch *scratch;
        goldens_open_scratch(MODEL, kernels[k], 1, &model, &scratch);
        float first[DIM], between[DIM], again[DIM];
        double norm;
        goldens_set_clip(scratch, 50);
        assert_int_equal(vp_clip_embed(scratch, first, &norm, NULL), VP_OK);
        goldens_set_clip(scratch, 401);
        assert_int_equal(vp_clip_embed(scratch, between, &norm, NULL), VP_OK);
        goldens_set_clip(scratch, 50);
        assert_int_equal(vp_clip_embed(scratch, again, &norm, NULL), VP_OK);
        assert_memory_equal(first, again, sizeof first);
        assert_memory_not_equal(first, between, sizeof first);
        vp_scratch_free(scratch);
        vp_model_free(model);
    }
}

struct helper {
    vp_scratch *scratch;
    atomic_bool done;
};

static void *help(void *ctx)
{
    struct helper *helper = ctx;
    while (!atomic_load(&helper->done))
        vp_clip_help(helper->scratch, NULL, NULL);
    return NULL;
}

static void helpers_change_no_bit(void **state)
{
    (void)state;
    vp_model *model;
    vp_scratch *scratch;
    goldens_open_scratch(MODEL, VP_KERNEL_AUTO, 2, &model, &scratch);
    goldens_set_clip(scratch, 998);
    float alone[DIM], together[DIM];
    double norm;
    assert_int_equal(vp_clip_embed(scratch, alone, &norm, NULL), VP_OK);
    struct helper helper = {.scratch = scratch};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, help, &helper), 0);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(vp_clip_embed(scratch, together, &norm, NULL), VP_OK);
        assert_memory_equal(alone, together, sizeof alone);
    }
    atomic_store(&helper.done, true);
    pthread_join(thread, NULL);
    vp_scratch_free(scratch);
    vp_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(long_clips_are_averaged),     cmocka_unit_test(memory_does_not_grow),
        cmocka_unit_test(lengths_outside_are_refused), cmocka_unit_test(a_scratch_forgets),
        cmocka_unit_test(helpers_change_no_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
