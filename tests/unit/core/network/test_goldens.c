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

#include "npy.h"
#include "voiceprint.h"

#define MODEL     "tests/golden/models/small.safetensors"
#define STAGE_BAR 1e-4

static const char *const stages[] = {"conv1",  "layer1", "layer2",   "layer3",
                                     "layer4", "pooled", "embedding"};
#define N_STAGES (sizeof stages / sizeof stages[0])

/* What the taps saw, compared as it comes. */
struct comparison {
    struct npy golden[N_STAGES];
    double worst[N_STAGES];   /* |difference| */
    double largest[N_STAGES]; /* |golden| */
    size_t n_frames[N_STAGES];
};

static void compare_frame(void *ctx, const char *stage, size_t n_channels, size_t n_freq, size_t t,
                          const float *frame)
{
    struct comparison *comparison = ctx;
    for (size_t s = 0; s < N_STAGES; s++) {
        if (strcmp(stage, stages[s]) != 0)
            continue;
        const struct npy *golden = &comparison->golden[s];
        const size_t n_time = golden->n_dims == 3 ? golden->shape[2] : 1;
        assert_int_equal(n_channels * n_freq * n_time, golden->n);
        assert_true(t < n_time);
        for (size_t i = 0; i < n_channels * n_freq; i++) { /* golden is [C, F, T] */
            const double expected = (double)golden->data[i * n_time + t];
            comparison->worst[s] = fmax(comparison->worst[s], fabs((double)frame[i] - expected));
            comparison->largest[s] = fmax(comparison->largest[s], fabs(expected));
        }
        comparison->n_frames[s]++;
        return;
    }
    fail_msg("a stage named %s has no golden", stage);
}

static void load_stages(size_t n_frames, struct comparison *comparison)
{
    memset(comparison, 0, sizeof *comparison);
    for (size_t s = 0; s < N_STAGES; s++) {
        char path[64];
        snprintf(path, sizeof path, "tests/golden/t%03zu/%s.npy", n_frames, stages[s]);
        assert_true(npy_load(path, &comparison->golden[s]));
    }
}

/* Puts the first frames of the golden signal into the scratch and computes their features. */
static void set_clip(vp_scratch *scratch, size_t n_frames)
{
    struct npy signal;
    struct vp_clip_info info;
    struct vp_err err;
    assert_true(npy_load("tests/golden/signal.npy", &signal));
    for (size_t i = 0; i < signal.n; i++)
        signal.data[i] /= 32768.0F;
    if (vp_clip_set_samples(scratch, signal.data, 400 + 160 * (n_frames - 1), &info, &err) != VP_OK)
        fail_msg("%s", err.message);
    npy_free(&signal);
    size_t found = 0;
    assert_int_equal(vp_clip_fbank(scratch, NULL, &found, &err), VP_OK);
    assert_int_equal(found, n_frames);
}

static void open_scratch(enum vp_kernel kernel, vp_model **model, vp_scratch **scratch)
{
    struct vp_err err;
    struct vp_limits limits;
    vp_limits_default(&limits);
    limits.min_duration_s = 0.105;
    if (vp_model_open(MODEL, kernel, model, &err) != VP_OK ||
        vp_scratch_new(*model, &limits, scratch, &err) != VP_OK)
        fail_msg("%s", err.message);
    assert_int_equal(vp_model_info(*model)->kernel, kernel);
}

static void every_stage(enum vp_kernel kernel)
{
    static const size_t lengths[] = {9, 10, 16, 17, 50, 98};
    vp_model *model;
    vp_scratch *scratch;
    open_scratch(kernel, &model, &scratch);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct comparison comparison;
        load_stages(lengths[i], &comparison);
        set_clip(scratch, lengths[i]);
        float embedding[24];
        double norm;
        struct vp_err err;
        assert_int_equal(vp_model_info(model)->dim, 24);
        assert_int_equal(
            vp_clip_embed_tapped(scratch, compare_frame, &comparison, embedding, &norm, &err),
            VP_OK);
        for (size_t s = 0; s < N_STAGES; s++) {
            const struct npy *golden = &comparison.golden[s];
            assert_int_equal(comparison.n_frames[s], golden->n_dims == 3 ? golden->shape[2] : 1);
            if (!(comparison.worst[s] <= STAGE_BAR * comparison.largest[s]))
                fail_msg("%s at T=%zu, kernel %s: off by %g, the largest value is %g", stages[s],
                         lengths[i], vp_kernel_name(kernel), comparison.worst[s],
                         comparison.largest[s]);
            npy_free(&comparison.golden[s]);
        }
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
        set_clip(scratch, lengths[i]);
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
    set_clip(scratch, 98);
    assert_int_equal(vp_clip_embed(scratch, first, &norm, NULL), VP_OK);
    set_clip(scratch, 333);
    assert_int_equal(vp_clip_embed(scratch, between, &norm, NULL), VP_OK);
    set_clip(scratch, 98);
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
    set_clip(scratch, 98);
    assert_int_equal(vp_clip_decode(scratch, NULL, "not audio", 9, &info, &err),
                     VP_ERR_AUDIO_UNSUPPORTED);
    assert_int_equal(vp_clip_embed(scratch, embedding, &norm, &err), VP_ERR_ARGUMENT);
    vp_scratch_free(scratch);
    vp_model_free(model);
}

static void with_kernel(enum vp_kernel kernel, void (*check)(enum vp_kernel))
{
    if (!vp_kernel_available(kernel)) {
        print_message("left out: this CPU cannot run kernel %s\n", vp_kernel_name(kernel));
        skip();
    }
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
