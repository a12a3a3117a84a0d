/*
 * Kaldi log-mel features: per frame the mean removed, pre-emphasis, window, power spectrum, mel
 * triangles, log; then the mean over time is subtracted. core/MODEL.md has the formulas.
 *
 * Frames go through the lanes of vectors side by side (fbank_kernel.h).
 */
#include "features/fbank.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/constants.h"
#include "features/fbank_kernel.h"

#define LOW_HZ  20.0
#define HIGH_HZ 8000.0

struct fbank_plan {
    double window[FBANK_FRAME_SAMPLES]; /* and what the samples' scale differs from 32768 by */
    struct mel_bank mel;
    struct rfft_plan rfft;
    const struct fbank_kernel *kernel;
};

struct fbank_work {
    _Alignas(64) double signal[RFFT_N * FBANK_MOST_LANES];
    _Alignas(64) double power[RFFT_N_BINS * FBANK_MOST_LANES];
    const struct fbank_plan *plan; /* borrowed */
    double *mean;                  /* owned, [n_mels] */
    float *energies;               /* owned, [lanes, n_mels] */
};

size_t fbank_n_frames(size_t n_samples)
{
    if (n_samples < FBANK_FRAME_SAMPLES)
        return 0;
    return 1 + (n_samples - FBANK_FRAME_SAMPLES) / FBANK_HOP_SAMPLES;
}

/* Value i of the window, for samples that are scaled by 32768 besides. */
static double window_at(enum front_end front_end, size_t i)
{
    const double cosine = cos(2.0 * PI * (double)i / (FBANK_FRAME_SAMPLES - 1.0));
    if (front_end == FRONT_END_POVEY)
        return pow(0.5 - 0.5 * cosine, 0.85) / 32768.0; /* a power of two: exact */
    return 0.54 - 0.46 * cosine;
}

enum vp_status fbank_plan_new(size_t n_mels, enum front_end front_end, enum vp_kernel kernel,
                              struct fbank_plan **out, struct vp_err *err)
{
    *out = NULL;
    struct fbank_plan *plan = calloc(1, sizeof *plan);
    if (plan == NULL)
        return status_no_memory(err, "the fbank plan", sizeof *plan);
    for (size_t i = 0; i < FBANK_FRAME_SAMPLES; i++)
        plan->window[i] = window_at(front_end, i);
    enum vp_status status =
        mel_bank_init(&plan->mel, n_mels, RFFT_N, SAMPLE_RATE_HZ, LOW_HZ, HIGH_HZ, err);
    if (status != VP_OK) {
        free(plan);
        return status;
    }
    rfft_plan_init(&plan->rfft);
    plan->kernel = fbank_kernel_get(kernel);
    *out = plan;
    return VP_OK;
}

void fbank_plan_free(struct fbank_plan *plan)
{
    if (plan != NULL)
        mel_bank_free(&plan->mel);
    free(plan);
}

enum vp_status fbank_work_new(const struct fbank_plan *plan, struct fbank_work **out,
                              struct vp_err *err)
{
    *out = NULL;
    struct fbank_work *work = aligned_alloc(_Alignof(struct fbank_work), sizeof *work);
    if (work == NULL)
        return status_no_memory(err, "the fbank buffers", sizeof *work);
    memset(work, 0, sizeof *work);
    work->plan = plan;
    const size_t n_mels = plan->mel.n_mels;
    work->mean = calloc(n_mels, sizeof *work->mean);
    work->energies = calloc(plan->kernel->lanes * n_mels, sizeof *work->energies);
    if (work->mean == NULL || work->energies == NULL) {
        fbank_work_free(work);
        return status_no_memory(err, "the fbank buffers", n_mels * sizeof *work->mean);
    }
    *out = work;
    return VP_OK;
}

void fbank_work_free(struct fbank_work *work)
{
    if (work != NULL) {
        free(work->mean);
        free(work->energies);
    }
    free(work);
}

/* Frames t to t + n - 1 of the samples, n at most as many as lanes -> features [n, n_mels]. Lanes
 * that are left over repeat the last frame. */
static void compute_frames(struct fbank_work *work, const float *samples, size_t t, size_t n,
                           float *features)
{
    const struct fbank_plan *plan = work->plan;
    const struct fbank_kernel *kernel = plan->kernel;
    const float *frames[FBANK_MOST_LANES];
    for (size_t l = 0; l < kernel->lanes; l++)
        frames[l] = samples + (t + (l < n ? l : n - 1)) * FBANK_HOP_SAMPLES;
    kernel->window(plan->window, frames, work->signal);
    kernel->power(&plan->rfft, work->signal, work->power);
    kernel->mel(&plan->mel, work->power, work->energies);
    for (size_t i = 0; i < n * plan->mel.n_mels; i++)
        features[i] = logf(fmaxf(work->energies[i], FLT_EPSILON));
}

size_t fbank_log_mel(struct fbank_work *work, const float *samples, size_t n_samples,
                     float *features)
{
    const size_t n_frames = fbank_n_frames(n_samples), n_mels = work->plan->mel.n_mels;
    const size_t lanes = work->plan->kernel->lanes;
    for (size_t t = 0; t < n_frames; t += lanes)
        compute_frames(work, samples, t, n_frames - t < lanes ? n_frames - t : lanes,
                       features + t * n_mels);
    return n_frames;
}

void fbank_subtract_mean(struct fbank_work *work, float *features, size_t n_frames)
{
    const size_t n_mels = work->plan->mel.n_mels;
    double *mean = work->mean;
    for (size_t m = 0; m < n_mels; m++)
        mean[m] = 0.0;
    for (size_t t = 0; t < n_frames; t++)
        for (size_t m = 0; m < n_mels; m++)
            mean[m] += (double)features[t * n_mels + m];
    for (size_t m = 0; m < n_mels; m++) {
        const float column_mean = (float)(mean[m] / (double)n_frames);
        for (size_t t = 0; t < n_frames; t++)
            features[t * n_mels + m] -= column_mean;
    }
}
