/*
 * CAM++ against PyTorch in float64, stage by stage: samples in, embedding out, at the lengths where
 * halves, borders and segments go wrong, with every kernel that this CPU can run.
 *
 * Bars: features 2e-3 in the worst bin; every stage after them 1e-4 of its largest value, the
 * embedding 1e-4 of its norm.
 */
#include "unit.h"

#include "goldens.h"
#include "voice/scratch.h"

#include <math.h>

#define MODEL "tests/golden/campplus/net.safetensors"
#define DIM   24
#define BAR   1e-4

static const enum vp_kernel kernels[] = {VP_KERNEL_BLAS, VP_KERNEL_AVX2, VP_KERNEL_AVX512,
                                         VP_KERNEL_NEON};
#define N_KERNELS (sizeof kernels / sizeof kernels[0])

static const char *const stages[GOLDENS_N_STAGES] = {"head",   "tdnn",   "block1",   "block2",
                                                     "block3", "pooled", "embedding"};

static void check_features(const vp_scratch *scratch, size_t n_frames)
{
    char path[64];
    struct npy golden;
    snprintf(path, sizeof path, "tests/golden/campplus/t%03zu/fbank.npy", n_frames);
    assert_true(npy_load(path, &golden));
    assert_int_equal(golden.n, n_frames * 80);
    for (size_t i = 0; i < golden.n; i++)
        if (!(fabs((double)scratch->features[i] - (double)golden.data[i]) <= 2e-3))
            fail_msg("features at T=%zu: value %zu is %g instead of %g", n_frames, i,
                     (double)scratch->features[i], (double)golden.data[i]);
    npy_free(&golden);
}

static void check_stages(vp_scratch *scratch, enum vp_kernel kernel, size_t n_frames)
{
    struct goldens goldens;
    char folder[64], what[64];
    snprintf(folder, sizeof folder, "tests/golden/campplus/t%03zu", n_frames);
    snprintf(what, sizeof what, "T=%zu, kernel %s", n_frames, vp_kernel_name(kernel));
    goldens_open(&goldens, stages, folder);
    goldens_set_clip(scratch, n_frames);
    check_features(scratch, n_frames);
    float embedding[DIM];
    double norm;
    assert_int_equal(
        vp_clip_embed_tapped(scratch, goldens_compare, &goldens, embedding, &norm, NULL), VP_OK);
    goldens_expect(&goldens, BAR, what);
}

static void every_stage(void **state)
{
    (void)state;
    static const size_t lengths[] = {9, 203, 17};
    for (size_t k = 0; k < N_KERNELS; k++) {
        if (goldens_cannot_run(kernels[k]))
            continue;
        vp_model *model;
        vp_scratch *scratch;
        goldens_open_scratch(MODEL, kernels[k], 1, &model, &scratch);
        for (size_t i = 0; i < 3; i++)
            check_stages(scratch, kernels[k], lengths[i]);
        vp_scratch_free(scratch);
        vp_model_free(model);
    }
}

static void embedding_at_every_length(void **state)
{
    (void)state;
    static const size_t lengths[] = {998, 9, 10, 17, 50, 98, 200, 201, 203, 401};
    for (size_t k = 0; k < N_KERNELS; k++) {
        if (goldens_cannot_run(kernels[k]))
            continue;
        vp_model *model;
        vp_scratch *scratch;
        goldens_open_scratch(MODEL, kernels[k], 1, &model, &scratch);
        for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
            char path[64];
            struct npy golden;
            float embedding[DIM];
            double norm, worst = 0.0, squares = 0.0;
            snprintf(path, sizeof path, "tests/golden/campplus/t%03zu/embedding.npy", lengths[i]);
            assert_true(npy_load(path, &golden));
            goldens_set_clip(scratch, lengths[i]);
            assert_int_equal(vp_clip_embed(scratch, embedding, &norm, NULL), VP_OK);
            for (size_t d = 0; d < DIM; d++) {
                worst = fmax(worst, fabs((double)embedding[d] - (double)golden.data[d]));
                squares += (double)golden.data[d] * (double)golden.data[d];
            }
            if (!(worst <= BAR * sqrt(squares)))
                fail_msg("embedding at T=%zu, kernel %s: off by %g of the norm", lengths[i],
                         vp_kernel_name(kernels[k]), worst / sqrt(squares));
            npy_free(&golden);
        }
        vp_scratch_free(scratch);
        vp_model_free(model);
    }
}

static void facts(void **state)
{
    (void)state;
    vp_model *model;
    assert_int_equal(vp_model_open(MODEL, VP_KERNEL_AUTO, &model, NULL), VP_OK);
    const struct vp_model_info *info = vp_model_info(model);
    assert_string_equal(info->network, "campplus");
    assert_string_equal(info->front_end, "povey");
    assert_int_equal(info->n_stages, 3);
    static const size_t blocks[] = {2, 3, 2}, channels[] = {22, 29, 26};
    assert_memory_equal(info->blocks, blocks, sizeof blocks);
    assert_memory_equal(info->channels, channels, sizeof channels);
    assert_int_equal(info->dim, DIM);
    vp_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_stage),
        cmocka_unit_test(embedding_at_every_length),
        cmocka_unit_test(facts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
