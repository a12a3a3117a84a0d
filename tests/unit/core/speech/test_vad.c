/*
 * The speech detector: against PyTorch's goldens at odd and even lengths, in pieces of any size bit
 * for bit the same, from its beginning again after the end; damaged weights are refused by name;
 * and the net in the box hears nothing in silence and in steady noise of any level.
 */
#include "unit.h"

#include "draft_safetensors.h"
#include "naive_net.h"
#include "npy.h"
#include "speech/vad.h"

#include <glob.h>
#include <math.h>

#define GOLDEN    "tests/golden/vad/"
#define BAR       2e-6 /* float32 against float64, of a probability */
#define N_GOLDEN  200u
#define N_SILENCE 3000u

static float features[N_GOLDEN * VAD_N_MELS];
static unsigned char *net;
static size_t n_net;

static int read_golden(void **state)
{
    (void)state;
    struct npy npy;
    if (!npy_load(GOLDEN "features.npy", &npy) || npy.n != N_GOLDEN * VAD_N_MELS)
        return -1;
    for (size_t i = 0; i < npy.n; i++)
        features[i] = (float)((double)npy.data[i] / 100.0);
    npy_free(&npy);
    net = draft_read_file(GOLDEN "net.safetensors", &n_net);
    return 0;
}

static int free_golden(void **state)
{
    (void)state;
    free(net);
    return 0;
}

static struct vad *open_net(const void *bytes, size_t n_bytes)
{
    struct vad *vad = NULL;
    struct vp_err err = {0};
    if (vad_new(bytes, n_bytes, VP_KERNEL_BLAS, &vad, &err) != VP_OK)
        fail_msg("%s", err.message);
    return vad;
}

/* Probabilities [n_frames] of frames pushed `piece` at a time; 0 takes every size in turn. */
static void run(struct vad *vad, const float *frames, size_t n_frames, size_t piece, float *out)
{
    size_t n = 0;
    for (size_t t = 0, turn = 0; t < n_frames; turn++) {
        const size_t wanted = piece > 0 ? piece : turn % 8;
        const size_t n_here = wanted < n_frames - t ? wanted : n_frames - t;
        n += vad_push(vad, frames + t * VAD_N_MELS, n_here, out + n);
        t += n_here;
        assert_true(n <= t);
        assert_true(t - n <= VAD_DELAY_FRAMES + 1); /* as late as promised, not later */
    }
    n += vad_flush(vad, out + n);
    assert_int_equal(n, n_frames);
}

static void agrees_with_pytorch(void **state)
{
    (void)state;
    glob_t found;
    assert_int_equal(glob(GOLDEN "t*.npy", 0, NULL, &found), 0);
    assert_int_equal(found.gl_pathc, 11);
    struct vad *vad = open_net(net, n_net);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct npy expected;
        float out[N_GOLDEN + 1];
        assert_true(npy_load(found.gl_pathv[i], &expected));
        run(vad, features, expected.n, expected.n, out);
        for (size_t t = 0; t < expected.n; t++)
            if (fabs((double)out[t] - (double)expected.data[t]) > BAR)
                fail_msg("%s, frame %zu: %.7f, PyTorch says %.7f", found.gl_pathv[i], t,
                         (double)out[t], (double)expected.data[t]);
        npy_free(&expected);
    }
    vad_free(vad);
    globfree(&found);
}

static void pieces_of_any_size_give_the_same_bits(void **state)
{
    (void)state;
    static const size_t pieces[] = {0, 1, 2, 3, 7, 24, 25, 99};
    struct vad *vad = open_net(net, n_net);
    float whole[N_GOLDEN + 1], out[N_GOLDEN + 1];
    for (size_t n_frames = N_GOLDEN - 3; n_frames <= N_GOLDEN; n_frames++) {
        run(vad, features, n_frames, n_frames, whole);
        for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
            run(vad, features, n_frames, pieces[i], out);
            assert_memory_equal(out, whole, n_frames * sizeof *out);
        }
    }
    vad_free(vad);
}

static void every_kernel_says_the_same_bits(void **state)
{
    (void)state;
    static const enum vp_kernel kernels[] = {VP_KERNEL_AVX2, VP_KERNEL_AVX512, VP_KERNEL_NEON};
    struct vad *plain = open_net(net, n_net), *other = NULL;
    float expected[N_GOLDEN + 1], out[N_GOLDEN + 1];
    run(plain, features, N_GOLDEN, N_GOLDEN, expected);
    for (size_t i = 0; i < sizeof kernels / sizeof kernels[0]; i++) {
        assert_int_equal(vad_new(net, n_net, kernels[i], &other, NULL), VP_OK);
        run(other, features, N_GOLDEN, N_GOLDEN, out);
        assert_memory_equal(out, expected, N_GOLDEN * sizeof *out);
        vad_free(other);
    }
    vad_free(plain);
}

static void nothing_in_nothing_out(void **state)
{
    (void)state;
    struct vad *vad = open_net(NULL, 0);
    float out[VAD_DELAY_FRAMES + 1];
    assert_int_equal(vad_push(vad, features, 0, out), 0);
    assert_int_equal(vad_flush(vad, out), 0);
    vad_free(vad);
    vad_free(NULL);
}

/* ---- weights -------------------------------------------------------------------------------- */

static void assert_refused(const struct draft_safetensors *draft, const char *in_sentence)
{
    size_t n_bytes;
    unsigned char *bytes = draft_safetensors_write(draft, &n_bytes);
    struct vad *vad = NULL;
    struct vp_err err = {0};
    assert_int_equal(vad_new(bytes, n_bytes, VP_KERNEL_BLAS, &vad, &err), VP_ERR_MODEL);
    assert_null(vad);
    if (strstr(err.message, in_sentence) == NULL)
        fail_msg("'%s' does not say '%s'", err.message, in_sentence);
    free(bytes);
}

static void damaged_weights_are_refused_by_name(void **state)
{
    (void)state;
    static const char *const tensors[] = {"conv.weight", "gru1.weight_hh_l0", "gru2.bias_ih_l0",
                                          "head.weight", "head.bias"};
    for (size_t i = 0; i < sizeof tensors / sizeof tensors[0]; i++) {
        struct draft_safetensors draft;
        char other[64];
        draft_safetensors_open(&draft, "../vad/net");
        json_t *entry = json_incref(draft_safetensors_entry(&draft, tensors[i]));
        snprintf(other, sizeof other, "%s.more", tensors[i]);
        assert_int_equal(json_object_del(draft.header, tensors[i]), 0);
        assert_int_equal(json_object_set(draft.header, other, entry), 0);
        assert_refused(&draft, tensors[i]); /* missing under its name */
        assert_int_equal(json_object_del(draft.header, other), 0);
        assert_int_equal(json_object_set(draft.header, tensors[i], entry), 0);
        json_t *shape = json_object_get(entry, "shape");
        assert_int_equal(json_array_append_new(shape, json_integer(1)), 0);
        assert_refused(&draft, tensors[i]); /* another shape */
        assert_int_equal(json_array_remove(shape, json_array_size(shape) - 1), 0);
        memset(draft_safetensors_values(&draft, tensors[i]), 0xff, 2); /* float16: NaN */
        assert_refused(&draft, tensors[i]);
        json_decref(entry);
        draft_safetensors_close(&draft);
    }
}

static void a_tensor_too_many_is_refused(void **state)
{
    (void)state;
    struct draft_safetensors draft;
    draft_safetensors_open(&draft, "../vad/net");
    const size_t n = draft.n_data;
    draft_safetensors_grow(&draft, 4);
    json_t *entry = json_pack("{s:s,s:[i],s:[i,i]}", "dtype", "F32", "shape", 1, "data_offsets",
                              (int)n, (int)n + 4);
    assert_int_equal(json_object_set_new(draft.header, "gru3.bias", entry), 0);
    assert_refused(&draft, "gru3.bias");
    draft_safetensors_close(&draft);
}

/* ---- the net in the box --------------------------------------------------------------------- */

/* The largest probability over half a minute of noise, level and spread in log-mel units. */
static float loudest_noise(struct vad *vad, double level, double spread)
{
    static float frames[N_SILENCE * VAD_N_MELS], out[N_SILENCE + 1];
    uint64_t seed = 5;
    for (size_t i = 0; i < N_SILENCE * VAD_N_MELS; i++)
        frames[i] = (float)(level + spread * naive_random(&seed));
    run(vad, frames, N_SILENCE, N_SILENCE, out);
    float largest = 0.0F;
    for (size_t t = 100; t < N_SILENCE; t++) /* after a second */
        largest = fmaxf(largest, out[t]);
    return largest;
}

static void silence_and_steady_noise_are_not_speech(void **state)
{
    (void)state;
    struct vad *vad = open_net(NULL, 0);
    assert_true(loudest_noise(vad, -15.942385, 0.0) < 0.5F); /* digital silence */
    for (double level = -4.0; level <= 14.0; level += 3.0)
        if (loudest_noise(vad, level, 1.5) >= 0.5F)
            fail_msg("noise of level %.0f is taken for speech", level);
    vad_free(vad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_pytorch),
        cmocka_unit_test(pieces_of_any_size_give_the_same_bits),
        cmocka_unit_test(every_kernel_says_the_same_bits),
        cmocka_unit_test(nothing_in_nothing_out),
        cmocka_unit_test(damaged_weights_are_refused_by_name),
        cmocka_unit_test(a_tensor_too_many_is_refused),
        cmocka_unit_test(silence_and_steady_noise_are_not_speech),
    };
    return cmocka_run_group_tests(tests, read_golden, free_golden);
}
