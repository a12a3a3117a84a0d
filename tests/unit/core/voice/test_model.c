/*
 * An opened model and its self-test: a good one passes on every kernel; one that answers zero,
 * always the same, or not what its own file states does not become ready.
 */
#include "unit.h"

#include "draft_safetensors.h"
#include "npy.h"
#include "voiceprint.h"

#include <glob.h>
#include <math.h>
#include <unistd.h>

#define DIM 8 /* of tests/golden/models/tiny */

/* Writes the draft to a file of its own; path must hold 32 characters. */
static void write_draft(const struct draft_safetensors *draft, char *path)
{
    size_t n_bytes;
    unsigned char *bytes = draft_safetensors_write(draft, &n_bytes);
    strcpy(path, "/tmp/vp-model-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, n_bytes), n_bytes);
    close(fd);
    free(bytes);
}

/* Opens the draft as a model and runs the self-test; embedding [DIM] receives the vector of the
 * built-in signal when it passes. */
static enum vp_status self_test(const struct draft_safetensors *draft, enum vp_kernel kernel,
                                struct vp_self_test *result, float *embedding, struct vp_err *err)
{
    char path[32];
    vp_model *model = NULL;
    vp_scratch *scratch = NULL;
    struct vp_limits limits;
    double norm;
    write_draft(draft, path);
    vp_limits_default(&limits);
    enum vp_status status = vp_model_open(path, kernel, &model, err);
    unlink(path);
    if (status == VP_OK)
        status = vp_scratch_new(model, &limits, &scratch, err);
    if (status == VP_OK)
        status = vp_model_self_test(scratch, result, err);
    if (status == VP_OK)
        status = vp_clip_embed(scratch, embedding, &norm, err);
    if (status == VP_OK)
        status = vp_embedding_normalize(embedding, DIM, &norm, err);
    vp_scratch_free(scratch);
    vp_model_free(model);
    return status;
}

static void set_self_test(struct draft_safetensors *draft, const float *embedding)
{
    json_t *array = json_array();
    for (size_t i = 0; i < DIM; i++)
        json_array_append_new(array, json_real((double)embedding[i]));
    char *text = json_dumps(array, JSON_COMPACT);
    draft_safetensors_metadata(draft, "self_test", text);
    free(text);
    json_decref(array);
}

static void good_model_passes_on_every_kernel(void **state)
{
    (void)state;
    struct draft_safetensors d;
    struct vp_self_test result;
    struct vp_err err = {0};
    float embedding[DIM];
    draft_safetensors_open(&d, "tiny");
    if (self_test(&d, VP_KERNEL_BLAS, &result, embedding, &err) != VP_OK)
        fail_msg("%s", err.message);
    assert_false(result.has_reference);
    assert_true(result.cosine == 0.0 && result.norm > 0.01);
    set_self_test(&d, embedding);
    for (unsigned kernel = VP_KERNEL_AUTO; kernel < VP_N_KERNELS; kernel++) {
        if (!vp_kernel_available((enum vp_kernel)kernel))
            continue;
        if (self_test(&d, (enum vp_kernel)kernel, &result, embedding, &err) != VP_OK)
            fail_msg("%s: %s", vp_kernel_name((enum vp_kernel)kernel), err.message);
        assert_true(result.has_reference && result.cosine > 0.999999);
    }
    draft_safetensors_close(&d);
}

/* Turns the unit vector by an angle, towards the first axis: its cosine with itself is cos(angle).
 */
static void turn(float *v, double angle)
{
    double across[DIM], norm = 0.0;
    for (size_t i = 0; i < DIM; i++) { /* the axis, less its part along v */
        across[i] = (i == 0 ? 1.0 : 0.0) - (double)v[0] * (double)v[i];
        norm += across[i] * across[i];
    }
    for (size_t i = 0; i < DIM; i++)
        v[i] = (float)(cos(angle) * (double)v[i] + sin(angle) * across[i] / sqrt(norm));
}

/* The bar is a cosine of 0.9999. */
static void another_models_vector_fails(void **state)
{
    (void)state;
    struct draft_safetensors d;
    struct vp_self_test result;
    struct vp_err err = {0};
    float embedding[DIM], ignored[DIM];
    draft_safetensors_open(&d, "tiny");
    assert_int_equal(self_test(&d, VP_KERNEL_BLAS, &result, embedding, &err), VP_OK);
    turn(embedding, 0.01); /* 0.99995 */
    set_self_test(&d, embedding);
    assert_int_equal(self_test(&d, VP_KERNEL_BLAS, &result, ignored, &err), VP_OK);
    turn(embedding, 0.01); /* 0.99980 */
    set_self_test(&d, embedding);
    assert_int_equal(self_test(&d, VP_KERNEL_BLAS, &result, ignored, &err), VP_ERR_SELF_TEST);
    assert_non_null(strstr(err.message, "reference vector"));
    assert_true(err.value > 0.9997 && err.value < 0.9999);
    draft_safetensors_close(&d);
}

static void fill(struct draft_safetensors *d, const char *tensor, size_t n, float value)
{
    float *values = draft_safetensors_values(d, tensor);
    for (size_t i = 0; i < n; i++)
        values[i] = value;
}

/* The self-test of a model whose last layer has this weight everywhere. */
static enum vp_status self_test_of_last_layer(float weight, bool without_bias, struct vp_err *err)
{
    struct draft_safetensors d;
    struct vp_self_test result;
    float embedding[DIM];
    draft_safetensors_open(&d, "tiny");
    fill(&d, "seg_1.weight", (size_t)DIM * 320, weight);
    if (without_bias)
        fill(&d, "seg_1.bias", DIM, 0.0F);
    const enum vp_status status = self_test(&d, VP_KERNEL_BLAS, &result, embedding, err);
    draft_safetensors_close(&d);
    return status;
}

/* The port whose output was all zeroes while its tests passed. */
static void zero_output_fails(void **state)
{
    (void)state;
    struct vp_err err = {0};
    assert_int_equal(self_test_of_last_layer(0.0F, true, &err), VP_ERR_SELF_TEST);
    assert_int_equal(err.status, VP_ERR_SELF_TEST);
    assert_true(err.message[0] != '\0');
}

/* The bias alone speaks: not zero, not constant over the vector, and the same for everybody. */
static void same_answer_for_everybody_fails(void **state)
{
    (void)state;
    struct vp_err err = {0};
    assert_int_equal(self_test_of_last_layer(0.0F, false, &err), VP_ERR_SELF_TEST);
    assert_non_null(strstr(err.message, "two different signals"));
}

static void overflow_fails(void **state)
{
    (void)state;
    struct vp_err err = {0};
    assert_int_equal(self_test_of_last_layer(3e38F, false, &err), VP_ERR_SELF_TEST);
}

/* The self-test of a good model in a scratch with these limits. */
static enum vp_status self_test_within(const struct vp_limits *limits, struct vp_err *err)
{
    struct vp_self_test result;
    vp_model *model = NULL;
    vp_scratch *scratch = NULL;
    assert_int_equal(
        vp_model_open("tests/golden/models/tiny.safetensors", VP_KERNEL_AUTO, &model, err), VP_OK);
    assert_int_equal(vp_scratch_new(model, limits, &scratch, err), VP_OK);
    const enum vp_status status = vp_model_self_test(scratch, &result, err);
    vp_scratch_free(scratch);
    vp_model_free(model);
    return status;
}

static void short_scratch_is_refused(void **state)
{
    (void)state;
    struct vp_err err = {0};
    struct vp_limits limits;
    vp_limits_default(&limits);
    limits.max_duration_s = 1.0;
    assert_int_equal(self_test_within(&limits, &err), VP_ERR_ARGUMENT);
    assert_non_null(strstr(err.message, "max_duration_s"));
}

/* Limits on clips do not concern the built-in signals. */
static void clip_limits_do_not_matter(void **state)
{
    (void)state;
    struct vp_err err = {0};
    struct vp_limits limits;
    vp_limits_default(&limits);
    limits.min_duration_s = 5.0;
    limits.max_duration_s = 6.0;
    assert_int_equal(self_test_within(&limits, &err), VP_OK);
}

static void facts_of_a_model(void **state)
{
    (void)state;
    struct vp_err err = {0};
    vp_model *model = NULL;
    assert_int_equal(
        vp_model_open("tests/golden/models/deep-opset14.onnx", VP_KERNEL_BLAS, &model, &err),
        VP_OK);
    const struct vp_model_info *info = vp_model_info(model);
    assert_string_equal(info->name, "deep-opset14.onnx");
    assert_string_equal(info->format, "onnx");
    assert_memory_equal(info->digest, "sha256:", 7);
    assert_int_equal(strlen(info->digest), 71);
    assert_int_equal(info->dim, 12);
    assert_int_equal(info->n_mels, 80);
    assert_int_equal(info->sample_rate_hz, 16000);
    static const size_t blocks[] = {1, 2, 1, 2}, channels[] = {3, 6, 12, 24};
    assert_memory_equal(info->blocks, blocks, sizeof blocks);
    assert_memory_equal(info->channels, channels, sizeof channels);
    size_t n_parameters = 27 + 3 + 2 * (81 + 3)                        /* stem, layer1 */
                          + (162 + 6) + 3 * (324 + 6) + (18 + 6)       /* layer2 */
                          + (648 + 12) + (1296 + 12) + (72 + 12)       /* layer3 */
                          + (2592 + 24) + 3 * (5184 + 24) + (288 + 24) /* layer4 */
                          + (size_t)12 * 2 * 24 * 10 + 12 + 12;        /* head, mean_vec */
    assert_int_equal(info->n_parameters, n_parameters);
    assert_true(info->kernel == VP_KERNEL_BLAS && info->weights_bytes >= 4 * n_parameters);
    assert_non_null(strstr(info->blas, "OpenBLAS"));
    assert_true(info->blas_core[0] != '\0');
    assert_false(info->untrained || info->has_threshold || info->has_calibration);
    vp_model_free(model);
    vp_model_free(NULL);
}

#define GOLDEN_SAMPLES (400 + 160 * 49) /* the clip t050 of tests/golden */

/* The golden clip through the file at path on one kernel: max|a - b| <= 1e-4 ||b||. */
static void assert_golden(const char *path, enum vp_kernel kernel, const float *samples,
                          const float *expected, size_t dim)
{
    struct vp_err err = {0};
    struct vp_limits limits;
    struct vp_clip_info info;
    vp_model *model = NULL;
    vp_scratch *scratch = NULL;
    float embedding[64];
    double norm = 0.0, worst = 0.0, square = 0.0;
    vp_limits_default(&limits);
    if (vp_model_open(path, kernel, &model, &err) != VP_OK ||
        vp_scratch_new(model, &limits, &scratch, &err) != VP_OK ||
        vp_clip_set_samples(scratch, samples, GOLDEN_SAMPLES, &info, &err) != VP_OK ||
        vp_clip_fbank(scratch, NULL, NULL, &err) != VP_OK)
        fail_msg("%s: %s", path, err.message);
    assert_int_equal(vp_model_info(model)->dim, dim);
    assert_true(dim <= sizeof embedding / sizeof embedding[0]);
    if (vp_clip_embed(scratch, embedding, &norm, &err) != VP_OK)
        fail_msg("%s: %s", path, err.message);
    for (size_t i = 0; i < dim; i++) {
        worst = fmax(worst, fabs((double)embedding[i] - (double)expected[i]));
        square += (double)expected[i] * (double)expected[i];
    }
    if (!(worst <= 1e-4 * sqrt(square)))
        fail_msg("%s, kernel %s: off by %g of the norm", path, vp_kernel_name(kernel),
                 worst / sqrt(square));
    vp_scratch_free(scratch);
    vp_model_free(model);
}

/* Every file in tests/golden/models answers as PyTorch does: with mean_vec (row 1 of
 * NET-embeddings) from .onnx, without (row 0) from .safetensors. */
static void golden_files_give_golden_embeddings(void **state)
{
    (void)state;
    static const char *const nets[] = {"tiny", "deep", "bottleneck", "small"};
    struct npy signal;
    float samples[GOLDEN_SAMPLES];
    size_t n_files = 0;
    assert_true(npy_load("tests/golden/signal.npy", &signal) && signal.n >= GOLDEN_SAMPLES);
    for (size_t i = 0; i < GOLDEN_SAMPLES; i++)
        samples[i] = signal.data[i] / 32768.0F;
    npy_free(&signal);
    for (size_t n = 0; n < sizeof nets / sizeof nets[0]; n++) {
        char path[128];
        struct npy golden;
        glob_t found;
        snprintf(path, sizeof path, "tests/golden/models/%s-embeddings.npy", nets[n]);
        assert_true(npy_load(path, &golden) && golden.n_dims == 2 && golden.shape[0] == 2);
        size_t dim = golden.shape[1];
        snprintf(path, sizeof path, "tests/golden/models/%s.safetensors", nets[n]);
        assert_int_equal(glob(path, 0, NULL, &found), 0);
        snprintf(path, sizeof path, "tests/golden/models/%s-*.onnx", nets[n]);
        (void)glob(path, GLOB_APPEND, NULL, &found); /* small has none */
        for (size_t i = 0; i < found.gl_pathc; i++)
            for (unsigned kernel = VP_KERNEL_BLAS; kernel < VP_N_KERNELS; kernel++)
                if (vp_kernel_available((enum vp_kernel)kernel))
                    assert_golden(found.gl_pathv[i], (enum vp_kernel)kernel, samples,
                                  golden.data + (i == 0 ? 0 : dim), dim);
        n_files += found.gl_pathc;
        globfree(&found);
        npy_free(&golden);
    }
    assert_true(n_files >= 20);
}

static void kernels_have_names(void **state)
{
    (void)state;
    enum vp_kernel kernel;
    for (unsigned i = VP_KERNEL_AUTO; i < VP_N_KERNELS; i++) {
        assert_true(vp_kernel_parse(vp_kernel_name((enum vp_kernel)i), &kernel));
        assert_int_equal(kernel, i);
    }
    assert_false(vp_kernel_parse("AVX2", &kernel));
    assert_false(vp_kernel_parse("", &kernel));
    assert_true(vp_kernel_available(VP_KERNEL_AUTO) && vp_kernel_available(VP_KERNEL_BLAS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_model_passes_on_every_kernel),
        cmocka_unit_test(another_models_vector_fails),
        cmocka_unit_test(zero_output_fails),
        cmocka_unit_test(same_answer_for_everybody_fails),
        cmocka_unit_test(overflow_fails),
        cmocka_unit_test(short_scratch_is_refused),
        cmocka_unit_test(clip_limits_do_not_matter),
        cmocka_unit_test(facts_of_a_model),
        cmocka_unit_test(golden_files_give_golden_embeddings),
        cmocka_unit_test(kernels_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
