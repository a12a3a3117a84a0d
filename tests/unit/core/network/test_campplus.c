/*
 * CAM++ against PyTorch in float64, stage by stage: samples in, embedding out, at the lengths where
 * halves, borders and segments go wrong, with every kernel that this CPU can run. Then what has no
 * golden: long clips, a scratch that forgets, threads, files that are wrong.
 *
 * Bars: features 2e-3 in the worst bin; every stage after them 1e-4 of its largest value, the
 * embedding 1e-4 of its norm.
 */
#include "unit.h"

#include "draft_safetensors.h"
#include "loader/net_load.h"
#include "network/campplus.h"
#include "npy.h"
#include "voice/scratch.h"
#include "voiceprint.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#define MODEL "tests/golden/campplus/net.safetensors"
#define DIM   24
#define BAR   1e-4

static const enum vp_kernel kernels[] = {VP_KERNEL_BLAS, VP_KERNEL_AVX2, VP_KERNEL_AVX512,
                                         VP_KERNEL_NEON};
#define N_KERNELS (sizeof kernels / sizeof kernels[0])

static const char *const stages[] = {"head",   "tdnn",   "block1",   "block2",
                                     "block3", "pooled", "embedding"};
#define N_STAGES (sizeof stages / sizeof stages[0])

static bool is_missing(enum vp_kernel kernel)
{
    if (!vp_kernel_available(kernel))
        print_message("left out: this CPU cannot run kernel %s\n", vp_kernel_name(kernel));
    return !vp_kernel_available(kernel);
}

static void open_scratch(enum vp_kernel kernel, size_t n_threads, vp_model **model,
                         vp_scratch **scratch)
{
    struct vp_err err;
    struct vp_limits limits;
    vp_limits_default(&limits);
    limits.min_duration_s = 0.105;
    limits.max_threads = n_threads;
    if (vp_model_open(MODEL, kernel, model, &err) != VP_OK ||
        vp_scratch_new(*model, &limits, scratch, &err) != VP_OK)
        fail_msg("%s", err.message);
}

/* The first frames of the golden signal, repeated as often as it takes; their features. */
static void set_clip(vp_scratch *scratch, size_t n_frames)
{
    struct npy signal;
    struct vp_clip_info info;
    struct vp_err err;
    assert_true(npy_load("tests/golden/signal.npy", &signal));
    const size_t n = 400 + 160 * (n_frames - 1);
    float *samples = calloc(n, sizeof *samples);
    assert_non_null(samples);
    for (size_t i = 0; i < n; i++)
        samples[i] = signal.data[i % signal.n] / 32768.0F;
    if (vp_clip_set_samples(scratch, samples, n, &info, &err) != VP_OK)
        fail_msg("%s", err.message);
    free(samples);
    npy_free(&signal);
    size_t found = 0;
    assert_int_equal(vp_clip_fbank(scratch, NULL, &found, &err), VP_OK);
    assert_int_equal(found, n_frames);
}

/* ---- goldens -----------------------------------------------------------------------------------
 */

struct comparison {
    struct npy golden[N_STAGES];
    double worst[N_STAGES], largest[N_STAGES]; /* |difference|, |golden| */
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
        const size_t n_time = golden->n_dims > 1 ? golden->shape[golden->n_dims - 1] : 1;
        assert_int_equal(n_channels * n_freq * n_time, golden->n);
        assert_true(t < n_time);
        for (size_t i = 0; i < n_channels * n_freq; i++) { /* golden is [C, T] or [C, F, T] */
            const double expected = (double)golden->data[i * n_time + t];
            comparison->worst[s] = fmax(comparison->worst[s], fabs((double)frame[i] - expected));
            comparison->largest[s] = fmax(comparison->largest[s], fabs(expected));
        }
        comparison->n_frames[s]++;
    }
}

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
    struct comparison comparison = {0};
    for (size_t s = 0; s < N_STAGES; s++) {
        char path[64];
        snprintf(path, sizeof path, "tests/golden/campplus/t%03zu/%s.npy", n_frames, stages[s]);
        assert_true(npy_load(path, &comparison.golden[s]));
    }
    set_clip(scratch, n_frames);
    check_features(scratch, n_frames);
    float embedding[DIM];
    double norm;
    assert_int_equal(
        vp_clip_embed_tapped(scratch, compare_frame, &comparison, embedding, &norm, NULL), VP_OK);
    for (size_t s = 0; s < N_STAGES; s++) {
        const struct npy *golden = &comparison.golden[s];
        assert_int_equal(comparison.n_frames[s],
                         golden->n_dims > 1 ? golden->shape[golden->n_dims - 1] : 1);
        if (!(comparison.worst[s] <= BAR * comparison.largest[s]))
            fail_msg("%s at T=%zu, kernel %s: off by %g, the largest value is %g", stages[s],
                     n_frames, vp_kernel_name(kernel), comparison.worst[s], comparison.largest[s]);
        npy_free(&comparison.golden[s]);
    }
}

static void every_stage(void **state)
{
    (void)state;
    static const size_t lengths[] = {9, 203, 17};
    for (size_t k = 0; k < N_KERNELS; k++) {
        if (is_missing(kernels[k]))
            continue;
        vp_model *model;
        vp_scratch *scratch;
        open_scratch(kernels[k], 1, &model, &scratch);
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
        if (is_missing(kernels[k]))
            continue;
        vp_model *model;
        vp_scratch *scratch;
        open_scratch(kernels[k], 1, &model, &scratch);
        for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
            char path[64];
            struct npy golden;
            float embedding[DIM];
            double norm, worst = 0.0, squares = 0.0;
            snprintf(path, sizeof path, "tests/golden/campplus/t%03zu/embedding.npy", lengths[i]);
            assert_true(npy_load(path, &golden));
            set_clip(scratch, lengths[i]);
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

/* ---- long clips ---------------------------------------------------------------------------------
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
    open_scratch(VP_KERNEL_AUTO, 1, &model, &scratch);
    struct campplus_state *network = scratch->state->campplus;
    for (size_t i = 0; i < sizeof clips / sizeof clips[0]; i++) {
        const size_t n = clips[i].n_frames;
        float whole[DIM], part[DIM], expected[DIM] = {0};
        double norm, norms = 0.0, worst = 0.0;
        set_clip(scratch, n);
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
        if (is_missing(kernels[k]))
            continue;
        vp_model *model;
        vp_scratch *scratch;
        open_scratch(kernels[k], 1, &model, &scratch);
        float first[DIM], between[DIM], again[DIM];
        double norm;
        set_clip(scratch, 50);
        assert_int_equal(vp_clip_embed(scratch, first, &norm, NULL), VP_OK);
        set_clip(scratch, 401);
        assert_int_equal(vp_clip_embed(scratch, between, &norm, NULL), VP_OK);
        set_clip(scratch, 50);
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
    open_scratch(VP_KERNEL_AUTO, 2, &model, &scratch);
    set_clip(scratch, 998);
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

/* ---- files --------------------------------------------------------------------------------------
 */

static void open_draft(struct draft_safetensors *draft)
{
    draft_safetensors_open(draft, "../campplus/net");
}

/* Loads the draft's bytes; the sentence of a refusal in err. */
static enum vp_status load(const struct draft_safetensors *draft, struct net **net,
                           struct vp_err *err)
{
    size_t n_bytes;
    const char *format;
    unsigned char *bytes = draft_safetensors_write(draft, &n_bytes);
    const enum vp_status status = net_load_bytes(bytes, n_bytes, net, &format, err);
    free(bytes);
    return status;
}

static void no_front_end(struct draft_safetensors *d)
{
    json_object_del(json_object_get(d->header, "__metadata__"), "front_end");
}

static void unknown_front_end(struct draft_safetensors *d)
{
    draft_safetensors_metadata(d, "front_end", "hann");
}

/* The tensor by another name. */
static void rename_tensor(struct draft_safetensors *d, const char *from, const char *to)
{
    json_t *entry = json_incref(draft_safetensors_entry(d, from));
    json_object_del(d->header, from);
    json_object_set_new(d->header, to, entry);
}

static void gate_missing(struct draft_safetensors *d)
{
    rename_tensor(d, "xvector.block2.tdnnd2.cam_layer.linear2.bias", "projection.bias");
}

static void half_a_block(struct draft_safetensors *d)
{
    rename_tensor(d, "head.layer1.1.conv1.weight", "projection.weight");
}

static void not_finite(struct draft_safetensors *d)
{
    draft_safetensors_values(d, "xvector.block3.tdnnd1.linear1.weight")[3] = NAN;
}

static void negative_variance(struct draft_safetensors *d)
{
    draft_safetensors_values(d, "xvector.block1.tdnnd2.nonlinear1.batchnorm.running_var")[1] =
        -1.0F;
}

/* A tensor's dims, same number of values. */
static void reshape(struct draft_safetensors *d, const char *name, const char *dims)
{
    json_object_set_new(draft_safetensors_entry(d, name), "shape", json_loads(dims, 0, NULL));
}

static void wrong_taps(struct draft_safetensors *d)
{
    reshape(d, "xvector.block1.tdnnd1.cam_layer.linear_local.weight", "[12, 54, 1]");
}

static void wrong_head(struct draft_safetensors *d)
{
    reshape(d, "xvector.tdnn.linear.weight", "[40, 40, 5]");
}

static void wrong_files_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        void (*spoil)(struct draft_safetensors *d);
        const char *sentence;
    } cases[] = {
        {"no_front_end", no_front_end, "metadata 'front_end' must be povey"},
        {"unknown_front_end", unknown_front_end, "'front_end'"},
        {"gate_missing", gate_missing, "'xvector.block2.tdnnd2.cam_layer.linear2.bias' is missing"},
        {"half_a_block", half_a_block, "has no place in the network"},
        {"not_finite", not_finite, "'xvector.block3.tdnnd1.linear1.weight' holds NaN"},
        {"negative_variance", negative_variance, "has a variance of -1 in channel 1"},
        {"wrong_taps", wrong_taps, "has shape [12, 54, 1] where [12, 18, 3] is needed"},
        {"wrong_head", wrong_head, "has shape [40, 40, 5] where [40, 80, 5] is needed"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct draft_safetensors draft;
        struct vp_err err = {0};
        struct net *net = NULL;
        open_draft(&draft);
        cases[i].spoil(&draft);
        if (load(&draft, &net, &err) == VP_OK || strstr(err.message, cases[i].sentence) == NULL)
            fail_msg("%s: '%s'", cases[i].what, err.message);
        assert_null(net);
        draft_safetensors_close(&draft);
    }
}

/* Embeds the built-in signal; the file states what `reference` gave, where it is not NULL. */
static enum vp_status self_test(const char *front_end, const float *reference, float *embedding,
                                struct vp_err *err)
{
    struct draft_safetensors draft;
    struct vp_limits limits;
    struct vp_self_test result;
    vp_model *model = NULL;
    vp_scratch *scratch = NULL;
    double norm;
    open_draft(&draft);
    draft_safetensors_metadata(&draft, "front_end", front_end);
    if (reference != NULL) {
        json_t *list = json_array();
        for (size_t d = 0; d < DIM; d++)
            json_array_append_new(list, json_real((double)reference[d]));
        char *text = json_dumps(list, JSON_COMPACT);
        draft_safetensors_metadata(&draft, "self_test", text);
        free(text);
        json_decref(list);
    }
    size_t n_bytes;
    unsigned char *bytes = draft_safetensors_write(&draft, &n_bytes);
    char path[] = "/tmp/vp-campplus-XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, n_bytes), n_bytes);
    close(fd);
    free(bytes);
    draft_safetensors_close(&draft);
    vp_limits_default(&limits);
    enum vp_status status = vp_model_open(path, VP_KERNEL_AUTO, &model, err);
    unlink(path);
    if (status == VP_OK)
        status = vp_scratch_new(model, &limits, &scratch, err);
    if (status == VP_OK)
        status = vp_model_self_test(scratch, &result, err);
    if (status == VP_OK)
        status = vp_clip_embed(scratch, embedding, &norm, err);
    if (status == VP_OK)
        unit(embedding);
    vp_scratch_free(scratch);
    vp_model_free(model);
    return status;
}

/* A file that names the other front end does not become ready: its own vector tells. */
static void the_wrong_front_end_cannot_be_used(void **state)
{
    (void)state;
    float reference[DIM], other[DIM];
    struct vp_err err = {0};
    assert_int_equal(self_test("povey", NULL, reference, &err), VP_OK);
    assert_int_equal(self_test("povey", reference, other, &err), VP_OK);
    assert_memory_equal(reference, other, sizeof other);
    assert_int_equal(self_test("hamming", reference, other, &err), VP_ERR_SELF_TEST);
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
        cmocka_unit_test(long_clips_are_averaged),
        cmocka_unit_test(memory_does_not_grow),
        cmocka_unit_test(lengths_outside_are_refused),
        cmocka_unit_test(a_scratch_forgets),
        cmocka_unit_test(helpers_change_no_bit),
        cmocka_unit_test(wrong_files_are_named),
        cmocka_unit_test(the_wrong_front_end_cannot_be_used),
        cmocka_unit_test(facts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
