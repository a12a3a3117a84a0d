/*
 * Levels of a recording. Made to cost microseconds, so the speech detector is a plain one: frames
 * of 10 ms that stand above the noise floor, which is the level that a tenth of them stay below.
 */
#include "audio/quality.h"

#include <math.h>
#include <string.h>

#include "base/constants.h"
#include "base/lanes.h"

#define FRAME_SAMPLES 160u /* 10 ms */
#define LOWEST_DB     (-100)
#define N_LEVELS      160u /* of 1 dB, from LOWEST_DB */

double quality_dbfs(double amplitude)
{
    return amplitude > 1e-6 ? 20.0 * log10(amplitude) : QUALITY_FLOOR_DBFS;
}

/* Sum of samples less offset, and of their squares, over at most a few hundred samples. */
static void sums(const float *samples, size_t n, float offset, double *sum, double *squares)
{
    lanes sum4 = lanes_fill(0.0F), squares4 = lanes_fill(0.0F);
    size_t i = 0;
    for (; i + N_LANES <= n; i += N_LANES) {
        lanes x;
        memcpy(&x, samples + i, sizeof x); /* unaligned */
        x -= offset;
        sum4 += x;
        squares4 += x * x;
    }
    *sum = (double)sum4[0] + (double)sum4[1] + (double)sum4[2] + (double)sum4[3];
    *squares =
        (double)squares4[0] + (double)squares4[1] + (double)squares4[2] + (double)squares4[3];
    for (; i < n; i++) {
        const double x = (double)(samples[i] - offset);
        *sum += x;
        *squares += x * x;
    }
}

/* ---- speech --------------------------------------------------------------------------------- */

struct levels {
    unsigned counts[N_LEVELS]; /* frames of each level */
    unsigned n_frames;
};

static void add_level(struct levels *levels, double mean_square)
{
    const double db = mean_square > 0.0 ? 10.0 * log10(mean_square) : LOWEST_DB;
    const double index = fmin(fmax(db - LOWEST_DB, 0.0), N_LEVELS - 1.0);
    levels->counts[(size_t)index]++;
    levels->n_frames++;
}

/* The level that this share of the frames does not exceed, dB above LOWEST_DB. */
static int percentile(const struct levels *levels, double share)
{
    const double wanted = share * levels->n_frames;
    double below = 0.0;
    int level = -1;
    while (level + 1 < (int)N_LEVELS && below <= wanted)
        below += levels->counts[++level];
    return level;
}

static double speech_s(const struct levels *levels)
{
    const int floor = percentile(levels, 0.10), loud = percentile(levels, 0.95);
    if (loud - floor < 6) /* nothing stands out: a hum, a tone, noise */
        return 0.0;
    int threshold = floor + 6;
    if (threshold < loud - 30) /* digital silence is no measure for noise */
        threshold = loud - 30;
    unsigned n_speech = 0;
    for (int level = threshold; level < (int)N_LEVELS; level++)
        n_speech += levels->counts[level];
    return n_speech * (double)FRAME_SAMPLES / SAMPLE_RATE_HZ;
}

/* ---- bandwidth ------------------------------------------------------------------------------ */

#define N_SIDE 16u /* odd taps on each side of a half-band filter of 63 */

/* Power above 4 kHz: a windowed half-band filter, four outputs in thirty-seven (prime, so that
 * no tone is met at the same phase each time). The filter must fall fast: telephone speech ends
 * at 3.4 to 4 kHz and is a hundred thousand times stronger below. */
static double high_band_power(const float *samples, size_t n, double offset)
{
    float taps[N_SIDE];
    for (size_t k = 0; k < N_SIDE; k++) {
        const double at = 2.0 * (double)k + 1.0, phase = PI * at / (2.0 * N_SIDE);
        const double blackman = 0.42 + 0.5 * cos(phase) + 0.08 * cos(2.0 * phase);
        taps[k] = (float)((k % 2 ? 1.0 : -1.0) / (PI * at) * blackman);
    }
    const size_t reach = 2 * N_SIDE - 1;
    double power = 0.0;
    size_t n_outputs = 0;
    for (size_t i = reach; i + reach + N_LANES <= n; i += 37) {
        lanes x, left, right;
        memcpy(&x, samples + i, sizeof x);
        lanes y = 0.5F * (x - (float)offset);
        for (size_t k = 0; k < N_SIDE; k++) {
            memcpy(&left, samples + i - 2 * k - 1, sizeof left);
            memcpy(&right, samples + i + 2 * k + 1, sizeof right);
            y += taps[k] * (left + right - 2.0F * (float)offset);
        }
        y *= y;
        power += (double)y[0] + (double)y[1] + (double)y[2] + (double)y[3];
        n_outputs += N_LANES;
    }
    return n_outputs > 0 ? power / (double)n_outputs : 0.0;
}

void quality_measure(const float *samples, size_t n, struct quality *out)
{
    memset(out, 0, sizeof *out);
    out->rms_dbfs = out->high_band_db = QUALITY_FLOOR_DBFS;
    if (n == 0)
        return;
    double total = 0.0, squares = 0.0;
    for (size_t i = 0; i < n; i += FRAME_SAMPLES) {
        double sum, ignored;
        sums(samples + i, n - i < FRAME_SAMPLES ? n - i : FRAME_SAMPLES, 0.0F, &sum, &ignored);
        total += sum;
    }
    out->offset = total / (double)n;

    struct levels levels = {.n_frames = 0};
    for (size_t i = 0; i < n; i += FRAME_SAMPLES) {
        double sum, square;
        const size_t n_here = n - i < FRAME_SAMPLES ? n - i : FRAME_SAMPLES;
        sums(samples + i, n_here, (float)out->offset, &sum, &square);
        squares += square;
        if (n_here == FRAME_SAMPLES)
            add_level(&levels, square / FRAME_SAMPLES);
    }
    const double rms = sqrt(squares / (double)n);
    out->rms_dbfs = quality_dbfs(rms);
    out->speech_s = levels.n_frames > 0 ? speech_s(&levels) : 0.0;
    if (rms > 0.0)
        out->high_band_db = quality_dbfs(sqrt(high_band_power(samples, n, out->offset)) / rms);
}
