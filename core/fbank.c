/*
 * Kaldi log-mel features: per frame the mean removed, pre-emphasis, Hamming, power spectrum, mel
 * triangles, log; then the mean over time is subtracted. core/MODEL.md has the formulas.
 *
 * Frames go two at a time through SIMD lanes, in double (rfft2); the one that is left over goes
 * through the library's FFT, which Debian builds for float only (rfft).
 */
#include "fbank.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "mel.h"
#include "rfft.h"
#include "rfft2.h"

#define RATE_HZ     16000.0
#define LOW_HZ      20.0
#define HIGH_HZ     8000.0
#define SCALE       32768.0 /* Kaldi features are those of 16-bit integers */
#define PREEMPHASIS 0.97
#define N_FFT       RFFT2_N /* 512, the next power of two above 400 samples */
#define N_BINS      (N_FFT / 2 + 1)
#define PI          3.14159265358979323846

struct fbank_plan {
    double window[FBANK_FRAME_SAMPLES]; /* Hamming, not Kaldi's default Povey */
    struct mel_bank mel;
    struct rfft2_plan rfft2;
};

struct fbank_work {
    const struct fbank_plan *plan; /* borrowed */
    double *mean;                  /* owned, [n_mels] */
    struct rfft *rfft;             /* owned */
    float frame[N_FFT];            /* zero beyond FBANK_FRAME_SAMPLES, always */
    struct rfft_bin spectrum[N_BINS];
    float power[N_BINS];
    pair frame2[N_FFT]; /* the same for two frames */
    pair power2[N_BINS];
};

size_t fbank_n_frames(size_t n_samples)
{
    if (n_samples < FBANK_FRAME_SAMPLES)
        return 0;
    return 1 + (n_samples - FBANK_FRAME_SAMPLES) / FBANK_HOP_SAMPLES;
}

enum vp_status fbank_plan_new(size_t n_mels, struct fbank_plan **out, struct vp_err *err)
{
    *out = NULL;
    struct fbank_plan *plan = calloc(1, sizeof *plan);
    if (plan == NULL)
        return status_no_memory(err, "the fbank plan", sizeof *plan);
    for (size_t i = 0; i < FBANK_FRAME_SAMPLES; i++)
        plan->window[i] = 0.54 - 0.46 * cos(2.0 * PI * (double)i / (FBANK_FRAME_SAMPLES - 1.0));
    enum vp_status status = mel_bank_init(&plan->mel, n_mels, N_FFT, RATE_HZ, LOW_HZ, HIGH_HZ, err);
    if (status != VP_OK) {
        free(plan);
        return status;
    }
    rfft2_plan_init(&plan->rfft2);
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
    struct fbank_work *work = calloc(1, sizeof *work);
    if (work == NULL)
        return status_no_memory(err, "the fbank buffers", sizeof *work);
    work->plan = plan;
    enum vp_status status = rfft_new(N_FFT, &work->rfft, err);
    if (status != VP_OK)
        goto out;
    work->mean = calloc(plan->mel.n_mels, sizeof *work->mean);
    if (work->mean == NULL)
        status = status_no_memory(err, "the fbank mean", plan->mel.n_mels * sizeof *work->mean);
out:
    if (status != VP_OK)
        fbank_work_free(work);
    else
        *out = work;
    return status;
}

void fbank_work_free(struct fbank_work *work)
{
    if (work != NULL) {
        rfft_free(work->rfft);
        free(work->mean);
    }
    free(work);
}

/* Mean of a frame; four sums, because one would wait for each addition in turn. */
static double frame_mean(const float *samples)
{
    double a = 0.0, b = 0.0, c = 0.0, d = 0.0;
    for (size_t i = 0; i < FBANK_FRAME_SAMPLES; i += 4) {
        a += (double)samples[i];
        b += (double)samples[i + 1];
        c += (double)samples[i + 2];
        d += (double)samples[i + 3];
    }
    return (a + b + c + d) / FBANK_FRAME_SAMPLES;
}

/* samples [400] -> frame [400]: scaled, mean removed, pre-emphasised, windowed */
static void window_frame(const double *window, const float *samples, float *frame)
{
    const double mean = frame_mean(samples) * SCALE;
    double previous = (double)samples[0] * SCALE - mean;
    for (size_t i = 0; i < FBANK_FRAME_SAMPLES; i++) {
        const double sample = (double)samples[i] * SCALE - mean;
        frame[i] = (float)((sample - PREEMPHASIS * previous) * window[i]);
        previous = sample;
    }
}

/* power [257] -> log energies [n_mels] */
static void log_mel(const struct mel_bank *mel, const float *power, float *features)
{
    for (size_t m = 0; m < mel->n_mels; m++) {
        const struct mel_filter *filter = &mel->filters[m];
        float energy = 0.0F;
        for (size_t k = 0; k < filter->n_bins; k++)
            energy += filter->weights[k] * power[filter->first_bin + k];
        features[m] = logf(fmaxf(energy, FLT_EPSILON));
    }
}

/* One frame, samples [400] -> features [n_mels]. */
static void compute_frame(struct fbank_work *work, const float *samples, float *features)
{
    window_frame(work->plan->window, samples, work->frame);
    rfft_forward(work->rfft, work->frame, work->spectrum);
    for (size_t k = 0; k < N_BINS; k++)
        work->power[k] = work->spectrum[k].re * work->spectrum[k].re +
                         work->spectrum[k].im * work->spectrum[k].im;
    log_mel(&work->plan->mel, work->power, features);
}

/* window_frame of two frames, one hop apart; halved, because rfft2 gives four times the power */
static void window_frame2(const double *window, const float *samples, pair *frame)
{
    const float *s0 = samples, *s1 = samples + FBANK_HOP_SAMPLES;
    const pair mean = {frame_mean(s0), frame_mean(s1)};
    pair previous = (pair){(double)s0[0], (double)s1[0]} - mean;
    for (size_t i = 0; i < FBANK_FRAME_SAMPLES; i++) {
        const pair sample = (pair){(double)s0[i], (double)s1[i]} - mean;
        frame[i] = (sample - PREEMPHASIS * previous) * (SCALE / 2.0 * window[i]);
        previous = sample;
    }
    for (size_t i = FBANK_FRAME_SAMPLES; i < N_FFT; i++)
        frame[i] = (pair){0.0, 0.0};
}

/* Two frames, one hop apart -> features [2, n_mels]. */
static void compute_frame2(struct fbank_work *work, const float *samples, float *features)
{
    const struct mel_bank *mel = &work->plan->mel;
    window_frame2(work->plan->window, samples, work->frame2);
    rfft2_power(&work->plan->rfft2, work->frame2, work->power2);
    for (size_t m = 0; m < mel->n_mels; m++) {
        const struct mel_filter *filter = &mel->filters[m];
        pair energy = {0.0, 0.0};
        for (size_t k = 0; k < filter->n_bins; k++)
            energy += (double)filter->weights[k] * work->power2[filter->first_bin + k];
        features[m] = logf(fmaxf((float)energy[0], FLT_EPSILON));
        features[mel->n_mels + m] = logf(fmaxf((float)energy[1], FLT_EPSILON));
    }
}

size_t fbank_log_mel(struct fbank_work *work, const float *samples, size_t n_samples,
                     float *features)
{
    const size_t n_frames = fbank_n_frames(n_samples), n_mels = work->plan->mel.n_mels;
    size_t t = 0;
    for (; t + 2 <= n_frames; t += 2)
        compute_frame2(work, samples + t * FBANK_HOP_SAMPLES, features + t * n_mels);
    if (t < n_frames)
        compute_frame(work, samples + t * FBANK_HOP_SAMPLES, features + t * n_mels);
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

size_t fbank_compute(struct fbank_work *work, const float *samples, size_t n_samples,
                     float *features)
{
    const size_t n_frames = fbank_log_mel(work, samples, n_samples, features);
    if (n_frames > 0)
        fbank_subtract_mean(work, features, n_frames);
    return n_frames;
}
