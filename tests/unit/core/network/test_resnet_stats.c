/* Embeddings of statistics that were pooled elsewhere: those of the forward pass. */
#include "unit.h"

#include <math.h>

#include "audio_file.h"
#include "naive_net.h"
#include "voice/scratch.h"

#define MODEL     "models/voiceprint.safetensors"
#define N_ROWS    2560u
#define N_SAMPLES 40000u

static float *floats(size_t n)
{
    float *values = calloc(n, sizeof *values);
    assert_non_null(values);
    return values;
}

static float pooled[2 * N_ROWS];

static void on_tap(void *ctx, const char *stage, size_t n_channels, size_t n_freq, size_t t,
                   const float *frame)
{
    (void)ctx;
    (void)t;
    if (strcmp(stage, "pooled") == 0) {
        assert_int_equal(n_channels * n_freq, 2 * N_ROWS);
        memcpy(pooled, frame, sizeof pooled);
    }
}

/* The statistics of one clip give its embedding, also as one of several. */
static void statistics_give_the_embedding(void **state)
{
    (void)state;
    enum { N = 7, AT = 4 };
    static float samples[N_SAMPLES];
    struct vp_err err;
    struct vp_limits limits;
    vp_model *model;
    vp_scratch *scratch;
    vp_limits_default(&limits);
    assert_int_equal(vp_model_open(MODEL, VP_KERNEL_AUTO, &model, &err), VP_OK);
    assert_int_equal(vp_scratch_new(model, &limits, &scratch, &err), VP_OK);
    const size_t dim = model->info.dim, n = fbank_n_frames(N_SAMPLES);
    float *stats = floats(N * 2 * N_ROWS), *wanted = floats(dim), *found = floats(N * dim);
    float *features = floats(n * 80);
    double largest = 0.0;
    uint64_t seed = 1;
    audio_file_talk(samples, N_SAMPLES);
    fbank_subtract_mean(scratch->fbank, features,
                        fbank_log_mel(scratch->fbank, samples, N_SAMPLES, features));
    assert_int_equal(
        resnet_forward(scratch->state->resnet, features, n, wanted, on_tap, NULL, &err), VP_OK);
    for (size_t d = 0; d < dim; d++)
        largest = fmax(largest, fabs((double)wanted[d]));
    for (size_t i = 0; i < N * 2 * N_ROWS; i++)
        stats[i] = (float)naive_random(&seed);
    memcpy(stats + AT * 2 * N_ROWS, pooled, sizeof pooled);
    resnet_embed_stats(model->network->resnet, stats, N, found);
    for (size_t d = 0; d < dim; d++)
        assert_true(fabs((double)found[AT * dim + d] - (double)wanted[d]) <= 1e-5 * largest);
    resnet_embed_stats(model->network->resnet, pooled, 1, found);
    for (size_t d = 0; d < dim; d++)
        assert_true(fabs((double)found[d] - (double)wanted[d]) <= 1e-5 * largest);
    free(features);
    free(found);
    free(wanted);
    free(stats);
    vp_scratch_free(scratch);
    vp_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statistics_give_the_embedding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
