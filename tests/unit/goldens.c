/* Goldens have channels first and time last. */
#include "goldens.h"

#include "unit.h"

#include <math.h>

void goldens_open_scratch(const char *model_path, enum vp_kernel kernel, size_t n_threads,
                          vp_model **model, vp_scratch **scratch)
{
    struct vp_err err;
    struct vp_limits limits;
    vp_limits_default(&limits);
    limits.min_duration_s = 0.105;
    limits.max_threads = n_threads;
    if (vp_model_open(model_path, kernel, model, &err) != VP_OK ||
        vp_scratch_new(*model, &limits, scratch, &err) != VP_OK)
        fail_msg("%s", err.message);
}

void goldens_set_clip(vp_scratch *scratch, size_t n_frames)
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

bool goldens_cannot_run(enum vp_kernel kernel)
{
    if (!vp_kernel_available(kernel))
        print_message("left out: this CPU cannot run kernel %s\n", vp_kernel_name(kernel));
    return !vp_kernel_available(kernel);
}

static size_t n_times(const struct npy *golden)
{
    return golden->n_dims > 1 ? golden->shape[golden->n_dims - 1] : 1;
}

void goldens_open(struct goldens *goldens, const char *const *stages, const char *folder)
{
    *goldens = (struct goldens){.stages = stages};
    for (size_t s = 0; s < GOLDENS_N_STAGES; s++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s.npy", folder, stages[s]);
        assert_true(npy_load(path, &goldens->golden[s]));
    }
}

void goldens_compare(void *ctx, const char *stage, size_t n_channels, size_t n_freq, size_t t,
                     const float *frame)
{
    struct goldens *goldens = ctx;
    size_t s = 0;
    while (s < GOLDENS_N_STAGES && strcmp(stage, goldens->stages[s]) != 0)
        s++;
    if (s == GOLDENS_N_STAGES) {
        goldens->n_others++;
        return;
    }
    const struct npy *golden = &goldens->golden[s];
    const size_t n_time = n_times(golden);
    assert_int_equal(n_channels * n_freq * n_time, golden->n);
    assert_true(t < n_time);
    for (size_t i = 0; i < n_channels * n_freq; i++) { /* golden is [C, T] or [C, F, T] */
        const double expected = (double)golden->data[i * n_time + t];
        goldens->worst[s] = fmax(goldens->worst[s], fabs((double)frame[i] - expected));
        goldens->largest[s] = fmax(goldens->largest[s], fabs(expected));
    }
    goldens->n_frames[s]++;
}

void goldens_expect(struct goldens *goldens, double bar, const char *what)
{
    for (size_t s = 0; s < GOLDENS_N_STAGES; s++) {
        assert_int_equal(goldens->n_frames[s], n_times(&goldens->golden[s]));
        if (!(goldens->worst[s] <= bar * goldens->largest[s]))
            fail_msg("%s, %s: off by %g, the largest value is %g", goldens->stages[s], what,
                     goldens->worst[s], goldens->largest[s]);
        npy_free(&goldens->golden[s]);
    }
}
