/* A forward pass that ends early leaves nothing behind, on every kernel. */
#include "unit.h"

#include "voiceprint.h"

#include <math.h>
#include <time.h>

enum { RATE = 16000, SECONDS = 12, DIM_ROOM = 512 };

/* Says yes at the n-th question. */
struct patience {
    size_t n_asked, n_until;
};

static bool is_out_of(void *ctx)
{
    struct patience *patience = ctx;
    return ++patience->n_asked > patience->n_until;
}

static void compute(vp_scratch *scratch, float *embedding)
{
    struct vp_err err;
    double norm = 0;
    assert_int_equal(vp_clip_embed(scratch, embedding, &norm, &err), VP_OK);
}

static void cancel_on(const char *path, enum vp_kernel kernel)
{
    static float samples[RATE * SECONDS];
    struct vp_limits limits;
    struct vp_err err;
    struct vp_clip_info info;
    vp_model *model = NULL;
    vp_scratch *scratch = NULL;
    float whole[DIM_ROOM], again[DIM_ROOM];
    double norm = 0;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++)
        samples[i] = 0.3F * sinf((float)(i % 16000) * 0.05F) * sinf((float)i * 0.0007F);
    assert_int_equal(vp_model_open(path, kernel, &model, &err), VP_OK);
    const size_t dim = vp_model_info(model)->dim;
    assert_true(dim <= DIM_ROOM);
    vp_limits_default(&limits);
    assert_int_equal(vp_scratch_new(model, &limits, &scratch, &err), VP_OK);
    assert_int_equal(
        vp_clip_set_samples(scratch, samples, sizeof samples / sizeof samples[0], &info, &err),
        VP_OK);
    assert_int_equal(vp_clip_fbank(scratch, NULL, NULL, &err), VP_OK);
    compute(scratch, whole);

    /* Asked often, and listened to at any step. */
    struct patience patience = {.n_until = SIZE_MAX};
    vp_scratch_watch(scratch, is_out_of, &patience);
    compute(scratch, again);
    assert_memory_equal(again, whole, dim * sizeof(float));
    const size_t n_steps = patience.n_asked;
    assert_true(n_steps > 50);
    for (size_t i = 0; i < 7; i++) {
        patience = (struct patience){.n_until = i * (n_steps - 1) / 6};
        assert_int_equal(vp_clip_embed(scratch, again, &norm, &err), VP_ERR_CANCELLED);
        assert_int_equal(patience.n_asked, patience.n_until + 1);
        assert_string_equal(vp_status_name(err.status), "cancelled");
    }
    vp_scratch_watch(scratch, NULL, NULL);
    compute(scratch, again);
    assert_memory_equal(again, whole, dim * sizeof(float));
    vp_scratch_free(scratch);
    vp_model_free(model);
}

static void a_pass_ends_early_and_leaves_nothing_behind(void **state)
{
    (void)state;
    static const char *const nets[] = {"tests/golden/models/small.safetensors",
                                       "tests/golden/campplus/net.safetensors"};
    for (unsigned k = VP_KERNEL_BLAS; k <= VP_KERNEL_AVX512; k++)
        if (vp_kernel_available((enum vp_kernel)k))
            for (size_t i = 0; i < sizeof nets / sizeof nets[0]; i++)
                cancel_on(nets[i], (enum vp_kernel)k);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* which change what it takes  \
                                                                     */
/* The longest time between two questions, of this thread's own processor time. */
struct gaps {
    double last_s, longest_s;
};

static double cpu_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static bool measure(void *ctx)
{
    struct gaps *gaps = ctx;
    const double now_s = cpu_s();
    if (now_s - gaps->last_s > gaps->longest_s)
        gaps->longest_s = now_s - gaps->last_s;
    gaps->last_s = now_s;
    return false;
}

/* A minute through the full-size network: whoever cancels waits for less than 100 ms. */
static void it_is_asked_often_enough(void **state)
{
    (void)state;
    static float samples[RATE * 60];
    struct vp_limits limits;
    struct vp_err err;
    struct vp_clip_info info;
    float embedding[DIM_ROOM];
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++)
        samples[i] = 0.3F * sinf((float)(i % 16000) * 0.05F);
    vp_limits_default(&limits);
    for (unsigned k = VP_KERNEL_BLAS; k <= VP_KERNEL_AVX512; k++) {
        vp_model *model = NULL;
        vp_scratch *scratch = NULL;
        if (!vp_kernel_available((enum vp_kernel)k))
            continue;
        if (vp_model_open("build/models/untrained.safetensors", (enum vp_kernel)k, &model, &err) !=
            VP_OK) {
            print_message("left out: make untrained brings the full-size network\n");
            skip();
        }
        assert_int_equal(vp_scratch_new(model, &limits, &scratch, &err), VP_OK);
        assert_int_equal(
            vp_clip_set_samples(scratch, samples, sizeof samples / sizeof samples[0], &info, &err),
            VP_OK);
        double fbank_s = cpu_s();
        assert_int_equal(vp_clip_fbank(scratch, NULL, NULL, &err), VP_OK);
        fbank_s = cpu_s() - fbank_s;
        struct gaps gaps = {.last_s = cpu_s()};
        vp_scratch_watch(scratch, measure, &gaps);
        compute(scratch, embedding);
        (void)measure(&gaps); /* from the last question to the end */
        print_message("%s: at most %.1f ms between two questions, features %.1f ms\n",
                      vp_kernel_name((enum vp_kernel)k), 1e3 * gaps.longest_s, 1e3 * fbank_s);
        assert_true(gaps.longest_s < 0.1);
        vp_scratch_free(scratch);
        vp_model_free(model);
    }
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pass_ends_early_and_leaves_nothing_behind),
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
        cmocka_unit_test(it_is_asked_often_enough),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
