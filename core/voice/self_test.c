/*
 * Does the loaded model answer as it must? Two built-in signals go through the whole engine.
 *
 * A signal is a train of pulses through three resonators, a vowel that changes half way, with some
 * noise: all in double from a formula, so that every machine has the same samples up to rounding
 * and a vector computed on one holds on another.
 */
#include "voice/scratch.h"

#include "base/constants.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define N_FORMANTS   3
#define MIN_COSINE   0.9999   /* kernels and CPUs round differently: they stay above 0.999999 */
#define MAX_ALIKE    0.999999 /* two different signals; untrained nets come close to 1 */
#define PEAK         0.5      /* full scale is 1 */
#define BANDWIDTH_HZ 80.0

struct voice {
    size_t n_samples;
    double pitch_hz;
    double formants_hz[2][N_FORMANTS]; /* first half, second half */
};

/* The first one is the reference: its embedding is what a model file's self_test states. */
static const struct voice voices[2] = {
    {2 * SAMPLE_RATE_HZ, 110.0, {{700.0, 1220.0, 2600.0}, {270.0, 2290.0, 3010.0}}},
    {1 * SAMPLE_RATE_HZ, 205.0, {{530.0, 1840.0, 2480.0}, {300.0, 870.0, 2240.0}}},
};

/* y[n] = x[n] + 2 r cos(w) y[n-1] - r^2 y[n-2]: a resonance at hz. */
static double resonate(double x, double hz, double y[2])
{
    double r = exp(-PI * BANDWIDTH_HZ / SAMPLE_RATE_HZ);
    double out = x + 2.0 * r * cos(2.0 * PI * hz / SAMPLE_RATE_HZ) * y[0] - r * r * y[1];
    y[1] = y[0];
    y[0] = out;
    return out;
}

/* -> samples [voice->n_samples], peak PEAK */
static void synthesize(const struct voice *voice, float *samples)
{
    double state[N_FORMANTS][2] = {{0.0}}, phase = 0.0, peak = 0.0;
    uint32_t noise = 1;
    for (size_t i = 0; i < voice->n_samples; i++) {
        phase += voice->pitch_hz / SAMPLE_RATE_HZ;
        double x = phase >= 1.0 ? 1.0 : 0.0;
        phase -= x;
        noise = noise * 1664525u + 1013904223u; /* Numerical Recipes' generator */
        x += ((double)(noise >> 16) / 65536.0 - 0.5) * 0.02;
        size_t half = 2 * i / voice->n_samples;
        double sum = 0.0;
        for (size_t f = 0; f < N_FORMANTS; f++)
            sum += resonate(x, voice->formants_hz[half][f], state[f]);
        samples[i] = (float)sum;
        peak = fmax(peak, fabs(sum));
    }
    for (size_t i = 0; i < voice->n_samples; i++)
        samples[i] = (float)((double)samples[i] * (PEAK / peak));
}

/* The signal replaces the clip, whatever the scratch's limits say of its length. */
static enum vp_status embed(vp_scratch *scratch, const struct voice *voice, float *embedding,
                            double *norm, struct vp_err *err)
{
    synthesize(voice, scratch->audio.samples);
    scratch->audio.n_samples = voice->n_samples;
    scratch->step = SCRATCH_SAMPLES;
    scratch->leaves_out = false;
    enum vp_status status = vp_clip_fbank(scratch, NULL, NULL, err);
    if (status == VP_OK)
        status = vp_clip_embed(scratch, embedding, norm, err);
    if (status != VP_OK)
        return status;
    double unit;
    return vp_embedding_normalize(embedding, scratch->model->info.dim, &unit, err);
}

/* a: of the reference signal, b: of the other; both of unit norm. */
static enum vp_status judge(const vp_model *model, const float *a, const float *b,
                            struct vp_self_test *result, struct vp_err *err)
{
    double alike = vp_cosine(a, b, model->info.dim);
    if (!(alike < MAX_ALIKE))
        return status_fail_limit(err, VP_ERR_SELF_TEST, alike, MAX_ALIKE,
                                 "self-test: two different signals gave the same embedding (cosine "
                                 "%.7f); the model tells nobody apart",
                                 alike);
    result->has_reference = model->self_test != NULL;
    if (!result->has_reference)
        return VP_OK;
    result->cosine = vp_cosine(a, model->self_test, model->info.dim);
    if (!(result->cosine >= MIN_COSINE))
        return status_fail_limit(err, VP_ERR_SELF_TEST, result->cosine, MIN_COSINE,
                                 "self-test: cosine %.6f with the model's own reference vector, "
                                 "%.4f is needed; file or engine is damaged",
                                 result->cosine, MIN_COSINE);
    return VP_OK;
}

enum vp_status vp_model_self_test(vp_scratch *scratch, struct vp_self_test *result,
                                  struct vp_err *err)
{
    scratch_check(scratch);
    *result = (struct vp_self_test){0};
    const vp_model *model = scratch->model;
    if (scratch->audio.capacity < voices[0].n_samples)
        return status_fail(err, VP_ERR_ARGUMENT,
                           "the self-test needs a scratch of 2 s; raise max_duration_s");
    size_t n_bytes = 2 * model->info.dim * sizeof(float);
    float *a = malloc(n_bytes);
    if (a == NULL)
        return status_no_memory(err, "the self-test", n_bytes);
    float *b = a + model->info.dim;
    double norm = 0.0;
    /* The reference signal comes last: it stays in the scratch for a tool that wants its vector. */
    enum vp_status status = embed(scratch, &voices[1], b, &norm, err);
    if (status == VP_OK)
        status = embed(scratch, &voices[0], a, &result->norm, err);
    if (status == VP_OK)
        status = judge(model, a, b, result, err);
    else if (err != NULL && status == VP_ERR_INFERENCE)
        err->status = status = VP_ERR_SELF_TEST; /* score's sentence says it best */
    free(a);
    return status;
}
