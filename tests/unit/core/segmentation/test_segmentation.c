/*
 * The segmentation network against PyTorch in float64, stage by stage, on every kernel, from every
 * form of its file; and files that look right and are not.
 */
#include "unit.h"

#include "loader/model_file.h"
#include "npy.h"
#include "segmentation/powerset.h"
#include "segmentation/seg_state.h"
#include "segmentation/segmentation.h"

#include <cblas.h>
#include <math.h>

#define GOLDEN    "tests/golden/segmentation/"
#define WINDOW    16160u
#define HOP       4000u
#define N_WINDOWS 3u
#define BAR       1e-5 /* largest error over largest value, float32 against float64 */
#define MARGIN    1e-4 /* between the best class and the next: below it rounding may decide */

static float *samples; /* [WINDOW + 2 HOP] */
static struct npy recorded;

static int load_samples(void **state)
{
    (void)state;
    if (!npy_load(GOLDEN "samples.npy", &recorded))
        return -1;
    samples = recorded.data;
    for (size_t i = 0; i < recorded.n; i++)
        samples[i] /= 32768.0F;
    return recorded.n == WINDOW + (N_WINDOWS - 1) * HOP ? 0 : -1;
}

static int free_samples(void **state)
{
    (void)state;
    npy_free(&recorded);
    return 0;
}

static vp_segmentation *open_kernel(const char *name, enum vp_kernel kernel)
{
    char path[128];
    struct vp_err err = {0};
    struct model_file file;
    struct seg_net *net;
    const char *format;
    vp_segmentation *out = NULL;
    snprintf(path, sizeof path, GOLDEN "%s", name);
    if (model_file_read(path, &file, &err) != VP_OK ||
        seg_net_load(file.bytes, file.n_bytes, &net, &format, &err) != VP_OK ||
        segmentation_new(net, kernel, &out, &err) != VP_OK)
        fail_msg("%s: %s", name, err.message);
    seg_net_free(net);
    model_file_free(&file);
    return out;
}

static void run(const vp_segmentation *segmentation, size_t n_windows, const struct seg_tap *tap,
                float *out)
{
    const struct seg_windows windows = {samples, WINDOW, HOP, n_windows};
    struct seg_state *state;
    struct vp_err err = {0};
    if (seg_state_new(&segmentation->packed, n_windows, WINDOW, HOP, &state, &err) != VP_OK ||
        seg_state_run(state, &windows, tap, out, &err) != VP_OK)
        fail_msg("%s", err.message);
    seg_state_free(state);
}

/* ---- goldens ------------------------------------------------------------------------------ */

enum { N_STAGES = 6 };
static const char *const stages[N_STAGES] = {"sinc", "conv1",  "conv2",
                                             "lstm", "linear", "log_probs"};

struct goldens {
    struct npy arrays[N_STAGES];
    double worst[N_STAGES], largest[N_STAGES];
    size_t n_rows[N_STAGES];
};

static void compare_row(void *ctx, const struct seg_row *row)
{
    struct goldens *goldens = ctx;
    const size_t n_channels = row->n_channels;
    size_t s = 0;
    while (strcmp(stages[s], row->stage) != 0)
        s++;
    const struct npy *golden = &goldens->arrays[s];
    assert_int_equal(golden->shape[2], n_channels);
    assert_true(row->window < golden->shape[0] && row->t < golden->shape[1]);
    const float *expected = golden->data + (row->window * golden->shape[1] + row->t) * n_channels;
    for (size_t c = 0; c < n_channels; c++) {
        const double error = fabs((double)row->values[c] - (double)expected[c]);
        if (!(error <= goldens->worst[s])) /* NaN too */
            goldens->worst[s] = error;
        goldens->largest[s] = fmax(goldens->largest[s], fabs((double)expected[c]));
    }
    goldens->n_rows[s]++;
}

static void check_decision(const struct npy *golden, const float *out)
{
    for (size_t i = 0; i < golden->shape[0] * golden->shape[1]; i++) {
        const float *row = golden->data + i * SEG_N_CLASSES;
        size_t best = 0, found = 0;
        double second = (double)-INFINITY;
        for (size_t k = 1; k < SEG_N_CLASSES; k++) {
            if (row[k] > row[best])
                best = k;
            if (out[i * SEG_N_CLASSES + k] > out[i * SEG_N_CLASSES + found])
                found = k;
        }
        for (size_t k = 0; k < SEG_N_CLASSES; k++)
            if (k != best)
                second = fmax(second, (double)row[k]);
        if ((double)row[best] - second > MARGIN)
            assert_int_equal(found, best);
    }
}

static void check_stages(const char *net, const char *file, enum vp_kernel kernel)
{
    struct goldens goldens = {0};
    float out[N_WINDOWS * 57 * SEG_N_CLASSES];
    for (size_t s = 0; s < N_STAGES; s++) {
        char path[128];
        snprintf(path, sizeof path, GOLDEN "%s-%s.npy", net, stages[s]);
        assert_true(npy_load(path, &goldens.arrays[s]));
    }
    vp_segmentation *segmentation = open_kernel(file, kernel);
    assert_int_equal(seg_n_frames(WINDOW), 57);
    run(segmentation, N_WINDOWS, &(struct seg_tap){compare_row, &goldens}, out);
    for (size_t w = 0; w < N_WINDOWS; w++)
        for (size_t t = 0; t < 57; t++)
            compare_row(&goldens, &(struct seg_row){"log_probs", w, t, SEG_N_CLASSES,
                                                    out + (w * 57 + t) * SEG_N_CLASSES});
    for (size_t s = 0; s < N_STAGES; s++) {
        assert_int_equal(goldens.n_rows[s],
                         goldens.arrays[s].shape[0] * goldens.arrays[s].shape[1]);
        if (!(goldens.worst[s] <= BAR * goldens.largest[s]))
            fail_msg("%s, kernel %s, %s: off by %.1e of the largest value", file,
                     vp_kernel_name(kernel), stages[s], goldens.worst[s] / goldens.largest[s]);
    }
    check_decision(&goldens.arrays[N_STAGES - 1], out);
    vp_segmentation_free(segmentation);
    for (size_t s = 0; s < N_STAGES; s++)
        npy_free(&goldens.arrays[s]);
}

static void every_stage_is_pytorchs_on_every_kernel(void **state)
{
    (void)state;
    static const enum vp_kernel kernels[] = {VP_KERNEL_BLAS, VP_KERNEL_AVX2, VP_KERNEL_AVX512,
                                             VP_KERNEL_NEON};
    for (size_t i = 0; i < sizeof kernels / sizeof kernels[0]; i++) {
        if (!vp_kernel_available(kernels[i])) {
            print_message("left out: kernel %s, which this CPU cannot run\n",
                          vp_kernel_name(kernels[i]));
            continue;
        }
        check_stages("small", "small.safetensors", kernels[i]);
        check_stages("even", "even.safetensors", kernels[i]);
    }
}

static void both_forms_of_the_file_give_the_same_bits(void **state)
{
    (void)state;
    static const char *const files[][2] = {
        {"small.safetensors", "small-opset13.onnx"},
        {"small.safetensors", "small-opset15.onnx"},
        {"small.safetensors", "small-opset17.onnx"},
        {"even.safetensors", "even-opset13.onnx"},
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        float out[2][N_WINDOWS * 57 * SEG_N_CLASSES];
        for (size_t k = 0; k < 2; k++) {
            vp_segmentation *segmentation = open_kernel(files[i][k], VP_KERNEL_AVX2);
            run(segmentation, N_WINDOWS, NULL, out[k]);
            vp_segmentation_free(segmentation);
        }
        assert_memory_equal(out[0], out[1], sizeof out[0]);
    }
}

/* Windows share the sinc filters' outputs: alone they must come out the same, but for rounding. */
static void a_window_is_the_same_alone(void **state)
{
    (void)state;
    vp_segmentation *segmentation = open_kernel("even.safetensors", VP_KERNEL_AVX2);
    float together[N_WINDOWS * 57 * SEG_N_CLASSES], alone[57 * SEG_N_CLASSES];
    run(segmentation, N_WINDOWS, NULL, together);
    for (size_t w = 0; w < N_WINDOWS; w++) {
        samples += w * HOP;
        run(segmentation, 1, NULL, alone);
        samples -= w * HOP;
        for (size_t i = 0; i < 57 * SEG_N_CLASSES; i++)
            assert_true(fabsf(alone[i] - together[w * 57 * SEG_N_CLASSES + i]) < 1e-4F);
    }
    vp_segmentation_free(segmentation);
}

/* ---- parts -------------------------------------------------------------------------------- */

static void sinc_taps_are_band_passes(void **state)
{
    (void)state;
    double even[SEG_TAPS], odd[SEG_TAPS], mirrored[SEG_TAPS];
    sinc_taps(-250, 400, even, odd); /* 300 to 750 Hz: the sign means nothing */
    sinc_taps(250, -400, mirrored, odd);
    assert_memory_equal(even, mirrored, sizeof even);
    for (size_t k = 0; k < SEG_TAPS; k++) {
        assert_true(even[k] == even[SEG_TAPS - 1 - k]);
        assert_true(odd[k] == -odd[SEG_TAPS - 1 - k]);
    }
    /* a tone inside passes, one outside does not; even sees cosines, odd sines */
    for (int inside = 0; inside < 2; inside++) {
        const double hz = inside ? 525 : 2000;
        double seen_even = 0, seen_odd = 0;
        for (int k = 0; k < SEG_TAPS; k++) {
            const double angle = 2 * 3.14159265358979 * hz * (k - SINC_HALF) / 16000;
            seen_even += even[k] * cos(angle);
            seen_odd += odd[k] * sin(angle);
        }
        const double full = 16000.0 / (2 * 450); /* gain 1 / (2 band) at 16 kHz */
        if (inside) {
            assert_true(fabs(seen_even / full - 1) < 0.1);
            assert_true(fabs(seen_odd / full - 1) < 0.1);
        } else {
            assert_true(fabs(seen_even / full) < 0.01 && fabs(seen_odd / full) < 0.01);
        }
    }
    sinc_taps(7990, 4000, even, odd); /* the upper edge stays at 8000 Hz */
    assert_true(isfinite(even[0]) && even[SINC_HALF] == 1);
}

static void classes_are_sets_of_at_most_two(void **state)
{
    (void)state;
    static const unsigned sets[SEG_N_CLASSES] = {0, 1, 2, 4, 3, 5, 6};
    float rows[(SEG_N_CLASSES + 1) * SEG_N_CLASSES] = {0};
    unsigned char masks[SEG_N_CLASSES + 1];
    for (size_t k = 0; k < SEG_N_CLASSES; k++)
        for (size_t i = 0; i < SEG_N_CLASSES; i++)
            rows[k * SEG_N_CLASSES + i] = i == k ? -0.1F : -3.0F;
    powerset_decode(rows, SEG_N_CLASSES + 1, masks);
    for (size_t k = 0; k < SEG_N_CLASSES; k++)
        assert_int_equal(masks[k], sets[k]);
    assert_int_equal(masks[SEG_N_CLASSES], 0); /* a tie: the first class */
}

static void frames_are_counted(void **state)
{
    (void)state;
    assert_int_equal(seg_n_frames(SEG_WINDOW_SAMPLES), SEG_WINDOW_FRAMES);
    assert_int_equal(seg_n_frames(SEG_MIN_SAMPLES), 1);
    assert_int_equal(seg_n_frames(SEG_MIN_SAMPLES - 1), 0);
    assert_int_equal(seg_n_frames(SEG_MIN_SAMPLES + SEG_FRAME_STEP - 1), 1);
    assert_int_equal(seg_n_frames(SEG_MIN_SAMPLES + SEG_FRAME_STEP), 2);
}

static void nan_is_an_error_and_silence_is_none(void **state)
{
    (void)state;
    vp_segmentation *segmentation = open_kernel("small.safetensors", VP_KERNEL_BLAS);
    struct seg_state *scratch;
    struct vp_err err;
    float *x = calloc(WINDOW, sizeof *x), out[57 * SEG_N_CLASSES];
    assert_non_null(x);
    struct seg_windows windows = {x, WINDOW, HOP, 1};
    assert_int_equal(seg_state_new(&segmentation->packed, 1, WINDOW, HOP, &scratch, &err), VP_OK);
    assert_int_equal(seg_state_run(scratch, &windows, NULL, out, &err), VP_OK);
    x[WINDOW / 2] = NAN;
    assert_int_equal(seg_state_run(scratch, &windows, NULL, out, &err), VP_ERR_INFERENCE);
    static const struct seg_windows beyond[] = {
        {NULL, WINDOW + 1, HOP, 1}, {NULL, SEG_MIN_SAMPLES - 1, HOP, 1}, {NULL, WINDOW, HOP, 2},
        {NULL, WINDOW, 0, 0},       {NULL, WINDOW, SIZE_MAX, 2},
    };
    for (size_t i = 0; i < sizeof beyond / sizeof beyond[0]; i++)
        assert_int_equal(seg_state_run(scratch, &beyond[i], NULL, out, &err), VP_ERR_ARGUMENT);
    free(x);
    seg_state_free(scratch);
    vp_segmentation_free(segmentation);
}

/* ---- files -------------------------------------------------------------------------------- */

static void a_file_is_opened_with_its_facts(void **state)
{
    (void)state;
    vp_segmentation *segmentation;
    struct vp_err err;
    assert_int_equal(
        vp_segmentation_open(GOLDEN "small.safetensors", VP_KERNEL_AUTO, &segmentation, &err),
        VP_OK);
    const struct vp_segmentation_info *info = vp_segmentation_info(segmentation);
    assert_string_equal(info->name, "small");
    assert_string_equal(info->format, "safetensors");
    assert_true(info->untrained && info->weights_bytes > 0);
    assert_int_equal(strlen(info->digest), 71);
    vp_segmentation_free(segmentation);
    assert_int_equal(
        vp_segmentation_open(GOLDEN "small-opset13.onnx", VP_KERNEL_AUTO, &segmentation, &err),
        VP_OK);
    assert_string_equal(vp_segmentation_info(segmentation)->name, "small-opset13.onnx");
    assert_string_equal(vp_segmentation_info(segmentation)->format, "onnx");
    vp_segmentation_free(segmentation);
    vp_segmentation_free(NULL);
}

static void what_is_no_such_network_is_refused(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {GOLDEN "refused-int8.onnx", "int8"},
        {GOLDEN "refused-folded.onnx", "export the model unfolded"},
        {GOLDEN "refused-no-abs.onnx", "where Abs is needed"},
        {GOLDEN "refused-other-window.onnx", "not built from two vectors"},
        {GOLDEN "refused-one-direction.onnx", "both directions"},
        {GOLDEN "refused-directions-mixed.onnx", "in the order that the next layer needs"},
        {GOLDEN "refused-other-powerset.onnx", "powerset_max_classes"},
        {"tests/golden/models/tiny.safetensors", "this is no segmentation network"},
        {"tests/golden/models/tiny-opset14.onnx", "LogSoftmax is needed"},
        {GOLDEN "samples.npy", "no whole ONNX file"},
        {GOLDEN "not-there.onnx", "No such file"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        vp_segmentation *segmentation = NULL;
        struct vp_err err = {0};
        assert_int_not_equal(vp_segmentation_open(cases[i][0], VP_KERNEL_AUTO, &segmentation, &err),
                             VP_OK);
        assert_null(segmentation);
        if (strstr(err.message, cases[i][1]) == NULL)
            fail_msg("%s: %s", cases[i][0], err.message);
    }
}

/* Every tensor in turn gets another name: it is missed, or it is one too many. */
static void every_tensor_is_needed(void **state)
{
    (void)state;
    struct model_file file;
    struct vp_err err;
    assert_int_equal(model_file_read(GOLDEN "small.safetensors", &file, &err), VP_OK);
    char *text = file.bytes;
    size_t n_names = 0;
    for (size_t i = 8; i + 12 < file.n_bytes; i++) {
        if (memcmp(text + i, "\":{\"dtype", 9) != 0)
            continue;
        const char kept = text[i - 1];
        struct seg_net *net;
        const char *format;
        text[i - 1] = 'x';
        assert_int_equal(seg_net_load(file.bytes, file.n_bytes, &net, &format, &err), VP_ERR_MODEL);
        assert_null(net);
        text[i - 1] = kept;
        n_names++;
    }
    assert_int_equal(n_names, 52 - 2 * 8); /* two of the published network's four LSTM layers */
    model_file_free(&file);
}

static void cut_files_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = {GOLDEN "small.safetensors", GOLDEN "small-opset13.onnx"};
    for (size_t i = 0; i < 2; i++) {
        struct model_file file;
        struct vp_err err;
        assert_int_equal(model_file_read(names[i], &file, &err), VP_OK);
        for (size_t n = 1; n < file.n_bytes; n += 97) {
            struct seg_net *net;
            const char *format;
            assert_int_equal(seg_net_load(file.bytes, n, &net, &format, &err), VP_ERR_MODEL);
        }
        model_file_free(&file);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_stage_is_pytorchs_on_every_kernel),
        cmocka_unit_test(both_forms_of_the_file_give_the_same_bits),
        cmocka_unit_test(a_window_is_the_same_alone),
        cmocka_unit_test(sinc_taps_are_band_passes),
        cmocka_unit_test(classes_are_sets_of_at_most_two),
        cmocka_unit_test(frames_are_counted),
        cmocka_unit_test(nan_is_an_error_and_silence_is_none),
        cmocka_unit_test(a_file_is_opened_with_its_facts),
        cmocka_unit_test(what_is_no_such_network_is_refused),
        cmocka_unit_test(every_tensor_is_needed),
        cmocka_unit_test(cut_files_are_refused),
    };
    openblas_set_num_threads(1); /* as vp_model_open does */
    return cmocka_run_group_tests(tests, load_samples, free_samples);
}
