/*
 * The whole engine against PyTorch in float64, stage by stage: samples in, embedding out, at the
 * lengths where borders, odd halves and tiles go wrong, with every kernel that this CPU can run.
 *
 * Bars (model.md's parity bars, and tighter where a stage allows it): features max 2e-3 and mean
 * 2e-5; every stage after them max|a - b| <= 1e-4 of the largest value, which float32 keeps with
 * room to spare; the embedding max|a - b| / ||b|| <= 1e-4 and cosine >= 0.99999.
 */
#include "unit.h"

#include <math.h>

#include "goldens.h"

#define MODEL     "tests/golden/models/small.safetensors"
#define STAGE_BAR 1e-4

static const char *const stages[GOLDENS_N_STAGES] = {"conv1",  "layer1", "layer2",   "layer3",
                                                     "layer4", "pooled", "embedding"};
static void open_scratch(enum vp_kernel kernel, vp_model **model, vp_scratch **scratch)
{
    goldens_open_scratch(MODEL, kernel, 1, model, scratch);
    assert_int_equal(vp_model_info(*model)->kernel, kernel);
}

static void every_stage(enum vp_kernel kernel)
{
    static const size_t lengths[] = {9, 10, 16, 17, 50, 98};
    vp_model *model;
    vp_scratch *scratch;
    open_scratch(kernel, &model, &scratch);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct goldens goldens;
        char folder[64], what[64];
        snprintf(folder, sizeof folder, "tests/golden/t%03zu", lengths[i]);
        snprintf(what, sizeof what, "T=%zu, kernel %s", lengths[i], vp_kernel_name(kernel));
        goldens_open(&goldens, stages, folder);
        goldens_set_clip(scratch, lengths[i]);
        float embedding[24];
        double norm;
        struct vp_err err;
        assert_int_equal(vp_model_info(model)->dim, 24);
        assert_int_equal(
            vp_clip_embed_tapped(scratch, goldens_compare, &goldens, embedding, &norm, &err),
            VP_OK);
        goldens_expect(&goldens, STAGE_BAR, what);
        assert_int_equal(goldens.n_others, 0);
    }
    vp_scratch_free(scratch);
    vp_model_free(model);
}

static void embedding_at_every_length(enum vp_kernel kernel)
{
    static const size_t lengths[] = {9, 10, 16, 17, 50, 98, 200, 333, 998};
    vp_model *model;
    vp_scratch *scratch;
    open_scratch(kernel, &model, &scratch);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        char path[64];
        snprintf(path, sizeof path, "tests/golden/t%03zu/embedding.npy", lengths[i]);
        struct npy golden;
        assert_true(npy_load(path, &golden));
        goldens_set_clip(scratch, lengths[i]);
        float embedding[24];
        double norm, worst = 0, dot = 0, golden_squared = 0;
        struct vp_err err;
        assert_int_equal(vp_clip_embed(scratch, embedding, &norm, &err), VP_OK);
        for (size_t d = 0; d < golden.n; d++) {
            const double a = (double)embedding[d], b = (double)golden.data[d];
            worst = fmax(worst, fabs(a - b));
            dot += a * b;
            golden_squared += b * b;
        }
        const double cosine = dot / (norm * sqrt(golden_squared));
        if (!(worst <= 1e-4 * sqrt(golden_squared) && cosine >= 0.99999))
            fail_msg("embedding at T=%zu, kernel %s: off by %g of the norm, cosine %.7f",
                     lengths[i], vp_kernel_name(kernel), worst / sqrt(golden_squared), cosine);
        npy_free(&golden);
    }
    vp_scratch_free(scratch);
    vp_model_free(model);
}

/* The same clip twice gives the same bits: nothing of the clip between is left in the scratch. */
static void a_scratch_forgets(void **state)
{
    (void)state;
    vp_model *model;
    vp_scratch *scratch;
    open_scratch(VP_KERNEL_BLAS, &model, &scratch);
    float first[24], between[24], again[24];
    double norm;
    goldens_set_clip(scratch, 98);
    assert_int_equal(vp_clip_embed(scratch, first, &norm, NULL), VP_OK);
    goldens_set_clip(scratch, 333);
    assert_int_equal(vp_clip_embed(scratch, between, &norm, NULL), VP_OK);
    goldens_set_clip(scratch, 98);
    assert_int_equal(vp_clip_embed(scratch, again, &norm, NULL), VP_OK);
    assert_memory_equal(first, again, sizeof first);
    assert_memory_not_equal(first, between, sizeof first);
    vp_scratch_free(scratch);
    vp_model_free(model);
}

static void steps_out_of_order_are_refused(void **state)
{
    (void)state;
    vp_model *model;
    vp_scratch *scratch;
    open_scratch(VP_KERNEL_BLAS, &model, &scratch);
    float embedding[24];
    double norm;
    struct vp_err err;
    struct vp_clip_info info;
    assert_int_equal(vp_clip_fbank(scratch, NULL, NULL, &err), VP_ERR_ARGUMENT);
    assert_int_equal(vp_clip_embed(scratch, embedding, &norm, &err), VP_ERR_ARGUMENT);
    goldens_set_clip(scratch, 98);
    assert_int_equal(vp_clip_decode(scratch, NULL, "not audio", 9, &info, &err),
                     VP_ERR_AUDIO_UNSUPPORTED);
    assert_int_equal(vp_clip_embed(scratch, embedding, &norm, &err), VP_ERR_ARGUMENT);
    vp_scratch_free(scratch);
    vp_model_free(model);
}

static void with_kernel(enum vp_kernel kernel, void (*check)(enum vp_kernel))
{
    if (goldens_cannot_run(kernel))
        skip();
    check(kernel);
}

static void stages_blas(void **state)
{
    (void)state;
    with_kernel(VP_KERNEL_BLAS, every_stage);
}

static void stages_avx2(void **state)
{
    (void)state;
    with_kernel(VP_KERNEL_AVX2, every_stage);
}

static void stages_avx512(void **state)
{
    (void)state;
    with_kernel(VP_KERNEL_AVX512, every_stage);
}

static void stages_neon(void **state)
{
    (void)state;
    with_kernel(VP_KERNEL_NEON, every_stage);
}

static void embedding_blas(void **state)
{
    (void)state;
    with_kernel(VP_KERNEL_BLAS, embedding_at_every_length);
}

static void embedding_avx2(void **state)
{
    (void)state;
    with_kernel(VP_KERNEL_AVX2, embedding_at_every_length);
}

static void embedding_avx512(void **state)
{
    (void)state;
    with_kernel(VP_KERNEL_AVX512, embedding_at_every_length);
}

static void embedding_neon(void **state)
{
    (void)state;
    with_kernel(VP_KERNEL_NEON, embedding_at_every_length);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stages_blas),       cmocka_unit_test(stages_avx2),
        cmocka_unit_test(stages_avx512),     cmocka_unit_test(stages_neon),
        cmocka_unit_test(embedding_blas),    cmocka_unit_test(embedding_avx2),
        cmocka_unit_test(embedding_avx512),  cmocka_unit_test(embedding_neon),
        cmocka_unit_test(a_scratch_forgets), cmocka_unit_test(steps_out_of_order_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
