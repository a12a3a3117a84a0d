/*
 * fbank against a plain version in double, written here from the formulas, on generated signals,
 * and against the goldens of torchaudio; and proof that the comparison would notice each default
 * that ports of this front end get wrong.
 */
#include "unit.h"

#include <math.h>

#include "features/fbank.h"
#include "npy.h"

#define PI       3.14159265358979323846
#define N_MELS   80
#define N_MAX    16000
#define T_MAX    (1 + (N_MAX - 400) / 160)
#define MAX_BAR  2e-3 /* log units; torchaudio and kaldi-native-fbank differ by 9e-4 */
#define MEAN_BAR 2e-5

struct options {
    double scale, preemphasis, low_hz, high_hz;
    bool povey, keep_dc, keep_mean, mean_before_log;
};
static const struct options defaults = {
    .scale = 32768.0, .preemphasis = 0.97, .low_hz = 20.0, .high_hz = 8000.0};

static double expected[T_MAX * N_MELS];
static float found[T_MAX * N_MELS], signal[N_MAX];

/* ---- the plain version ---------------------------------------------------------------------- */

static double mel_of_hz(double hz)
{
    return 1127.0 * log(1.0 + hz / 700.0);
}

static void plain_frame(const struct options *o, const float *samples, double *energies)
{
    static double cosine[512];
    double frame[400], mean = 0.0, power[257];
    for (size_t i = 0; i < 512; i++)
        cosine[i] = cos(2.0 * PI * (double)i / 512.0);
    for (size_t i = 0; i < 400; i++)
        mean += (double)samples[i] * o->scale / 400.0;
    for (size_t i = 0; i < 400; i++)
        frame[i] = (double)samples[i] * o->scale - (o->keep_dc ? 0.0 : mean);
    for (size_t i = 400; i-- > 0;)
        frame[i] -= o->preemphasis * frame[i > 0 ? i - 1 : 0];
    for (size_t i = 0; i < 400; i++) {
        const double angle = 2.0 * PI * (double)i / 399.0;
        frame[i] *= o->povey ? pow(0.5 - 0.5 * cos(angle), 0.85) : 0.54 - 0.46 * cos(angle);
    }
    for (size_t k = 0; k <= 256; k++) {
        double re = 0.0, im = 0.0;
        for (size_t i = 0; i < 400; i++) {
            re += frame[i] * cosine[k * i % 512];
            im += frame[i] * cosine[(k * i + 128) % 512]; /* -sin(x) = cos(x + pi/2) */
        }
        power[k] = re * re + im * im;
    }
    const double low = mel_of_hz(o->low_hz);
    const double delta = (mel_of_hz(o->high_hz) - low) / (N_MELS + 1);
    for (size_t m = 0; m < N_MELS; m++) {
        const double center = low + (double)(m + 1) * delta;
        energies[m] = 0.0;
        for (size_t k = 0; k <= 256; k++)
            energies[m] +=
                power[k] * fmax(0.0, 1.0 - fabs(mel_of_hz(31.25 * (double)k) - center) / delta);
    }
}

static size_t plain_fbank(const struct options *o, const float *samples, size_t n)
{
    const size_t n_frames = n < 400 ? 0 : 1 + (n - 400) / 160;
    for (size_t t = 0; t < n_frames; t++)
        plain_frame(o, samples + 160 * t, expected + t * N_MELS);
    for (size_t m = 0; m < N_MELS; m++) {
        double mean = 0.0;
        for (size_t t = 0; t < n_frames; t++) {
            double *x = &expected[t * N_MELS + m];
            if (!o->mean_before_log)
                *x = log(fmax(*x, 1.1920928955078125e-07));
            mean += *x / (double)n_frames;
        }
        for (size_t t = 0; t < n_frames; t++) {
            double *x = &expected[t * N_MELS + m];
            *x -= o->keep_mean ? 0.0 : mean;
            if (o->mean_before_log)
                *x = log(fmax(*x, 1.1920928955078125e-07));
        }
    }
    return n_frames;
}

/* ---- signals -------------------------------------------------------------------------------- */

static uint32_t seed;

static double noise(void) /* uniform in [-1, 1) */
{
    seed = seed * 1664525u + 1013904223u;
    return (double)(seed >> 8) / (double)(1 << 23) - 1.0;
}

static void fill_noise(size_t n, double amplitude)
{
    seed = 1;
    for (size_t i = 0; i < n; i++)
        signal[i] = (float)(amplitude * noise());
}

/* 16-bit rounding, as a recording has it */
static void fill_tone(size_t n, double hz, double amplitude)
{
    for (size_t i = 0; i < n; i++)
        signal[i] = (float)(round(amplitude * 32767.0 * sin(2.0 * PI * hz * (double)i / 16000.0)) /
                            32768.0);
}

/* A buzz with a moving pitch, vowels that come and go, and digital silence in between. */
static void fill_buzz(size_t n)
{
    seed = 7;
    double phase = 0.0;
    for (size_t i = 0; i < n; i++) {
        const double s = (double)i / 16000.0;
        phase += (120.0 + 40.0 * sin(5.0 * s)) / 16000.0;
        const double envelope = fmax(0.0, sin(2.0 * PI * 2.5 * s));
        const double saw = 2.0 * (phase - floor(phase)) - 1.0;
        const double x = envelope * (0.4 * saw + 0.02 * noise());
        signal[i] = (float)(round(x * 32767.0) / 32768.0);
    }
}

/* ---- comparison ----------------------------------------------------------------------------- */

static enum vp_kernel kernel;
static struct fbank_plan *plan;
static struct fbank_work *work;

static int set_up(void **state)
{
    (void)state;
    struct vp_err err;
    return fbank_plan_new(N_MELS, FRONT_END_HAMMING, kernel, &plan, &err) != VP_OK ||
           fbank_work_new(plan, &work, &err) != VP_OK;
}

static int tear_down(void **state)
{
    (void)state;
    fbank_work_free(work);
    fbank_plan_free(plan);
    return 0;
}

static void difference(const struct options *o, size_t n, double *largest, double *mean)
{
    *largest = *mean = 0.0;
    float *samples = malloc(n * sizeof *samples + 1); /* to the byte, so that ASan sees the end */
    assert_non_null(samples);
    memcpy(samples, signal, n * sizeof *samples);
    const size_t n_frames = fbank_log_mel(work, samples, n, found);
    if (n_frames > 0)
        fbank_subtract_mean(work, found, n_frames);
    assert_int_equal(n_frames, fbank_n_frames(n));
    assert_int_equal(n_frames, plain_fbank(o, samples, n));
    free(samples);
    for (size_t i = 0; i < n_frames * N_MELS; i++) {
        const double d = fabs((double)found[i] - expected[i]);
        assert_true(isfinite(d));
        *largest = fmax(*largest, d);
        *mean += d / (double)(n_frames * N_MELS);
    }
}

static void check(const char *what, size_t n)
{
    double largest, mean;
    difference(&defaults, n, &largest, &mean);
    if (largest > MAX_BAR || mean > MEAN_BAR)
        fail_msg("%s, %zu samples: max %.3g, mean %.3g", what, n, largest, mean);
}

static void noise_of_every_length(void **state)
{
    (void)state;
    /* the edges of one, two, eight, nine and 16 frames; odd and long */
    static const size_t sizes[] = {0,    1,    399,  400,  401,  559,  560,  561,  1519,
                                   1520, 1679, 1680, 2799, 2800, 3001, 5297, 7777, 16000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        fill_noise(sizes[i], 0.3);
        check("noise", sizes[i]);
    }
}

static void loud_and_faint(void **state)
{
    (void)state;
    fill_noise(8000, 1.0);
    check("full-scale noise", 8000);
    fill_noise(8000, 1e-4);
    check("noise at -80 dBFS", 8000);
    fill_tone(8000, 440.0, 1.0);
    check("full-scale tone", 8000);
    fill_tone(8000, 7000.0, 1.0);
    check("full-scale high tone", 8000);
}

static void speech_like(void **state)
{
    (void)state;
    fill_buzz(16000);
    check("buzz with digital silence", 16000);
}

static void dc_and_silence_leave_the_floor(void **state)
{
    (void)state;
    static const double levels[] = {0.0, 0.5, -1.0, 0.3};
    for (size_t l = 0; l < 4; l++) {
        for (size_t i = 0; i < 5000; i++)
            signal[i] = (float)levels[l];
        check("constant", 5000);
        for (size_t i = 0; i < fbank_n_frames(5000) * N_MELS; i++)
            assert_true(found[i] == 0.0F); /* the floor less its mean */
    }
    fill_noise(3000, 0.3);
    for (size_t i = 3000; i < 9000; i++)
        signal[i] = 0.25F;
    check("noise, then a constant", 9000);
}

/* Each wrong default must be far outside the bars, or the tests above prove nothing. */
static void every_wrong_default_would_be_noticed(void **state)
{
    (void)state;
    struct options wrong[10];
    size_t n_wrong = 0;
    for (size_t i = 0; i < 10; i++)
        wrong[i] = defaults;
    wrong[n_wrong++].scale = 1.0; /* shows only where the floor is met: hence the silence */
    wrong[n_wrong++].scale = 32767.0 * 32767.0;
    wrong[n_wrong++].preemphasis = 0.95;
    wrong[n_wrong++].preemphasis = 0.0;
    wrong[n_wrong++].low_hz = 0.0;
    wrong[n_wrong++].high_hz = 7600.0;
    wrong[n_wrong++].povey = true;
    wrong[n_wrong++].keep_dc = true;
    wrong[n_wrong++].keep_mean = true;
    wrong[n_wrong++].mean_before_log = true;
    fill_noise(9000, 0.1);
    for (size_t i = 0; i < 9000; i++)
        signal[i] = i < 6000 ? signal[i] + 0.2F : 0.2F;
    check("noise on an offset", 9000);
    for (size_t i = 0; i < n_wrong; i++) {
        double largest, mean;
        difference(&wrong[i], 9000, &largest, &mean);
        if (largest < 10.0 * MAX_BAR || mean < 10.0 * MEAN_BAR)
            fail_msg("wrong default %zu: max %.3g, mean %.3g would pass", i, largest, mean);
    }
}

/* What torchaudio makes of the golden signal's beginning. */
static void goldens_of_torchaudio(void **state)
{
    (void)state;
    static const size_t lengths[] = {9, 10, 16, 17, 50, 98};
    struct npy golden_signal;
    assert_true(npy_load("tests/golden/signal.npy", &golden_signal));
    for (size_t i = 0; i < golden_signal.n; i++)
        golden_signal.data[i] /= 32768.0F;
    for (size_t l = 0; l < sizeof lengths / sizeof lengths[0]; l++) {
        const size_t n_frames = lengths[l], n_samples = 400 + 160 * (n_frames - 1);
        char path[64];
        snprintf(path, sizeof path, "tests/golden/t%03zu/fbank.npy", n_frames);
        struct npy golden;
        assert_true(npy_load(path, &golden));
        assert_int_equal(golden.n_dims, 2);
        assert_int_equal(golden.shape[0], n_frames);
        assert_int_equal(golden.shape[1], N_MELS);
        assert_true(golden_signal.n >= n_samples);
        assert_int_equal(fbank_log_mel(work, golden_signal.data, n_samples, found), n_frames);
        fbank_subtract_mean(work, found, n_frames);
        double largest = 0.0, mean = 0.0;
        for (size_t i = 0; i < golden.n; i++) {
            const double d = fabs((double)found[i] - (double)golden.data[i]);
            largest = fmax(largest, d);
            mean += d / (double)golden.n;
        }
        if (!(largest <= MAX_BAR) || !(mean <= MEAN_BAR))
            fail_msg("%s: max %.3g, mean %.3g", path, largest, mean);
        npy_free(&golden);
    }
    npy_free(&golden_signal);
}

static void frames_are_counted_as_kaldi_does(void **state)
{
    (void)state;
    assert_int_equal(fbank_n_frames(0), 0);
    assert_int_equal(fbank_n_frames(399), 0);
    assert_int_equal(fbank_n_frames(400), 1);
    assert_int_equal(fbank_n_frames(559), 1);
    assert_int_equal(fbank_n_frames(560), 2);
    assert_int_equal(fbank_n_frames(1680), 9);
    assert_int_equal(fbank_n_frames(16000), 98);
    assert_int_equal(fbank_n_frames(48000), 298);
}

static void too_many_mels_are_refused(void **state)
{
    (void)state;
    struct fbank_plan *none = NULL;
    struct vp_err err;
    assert_int_equal(fbank_plan_new(0, FRONT_END_HAMMING, kernel, &none, &err), VP_ERR_ARGUMENT);
    assert_int_equal(fbank_plan_new(400, FRONT_END_HAMMING, kernel, &none, &err), VP_ERR_ARGUMENT);
    assert_null(none);
    fbank_plan_free(NULL);
    fbank_work_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(noise_of_every_length),
        cmocka_unit_test(loud_and_faint),
        cmocka_unit_test(speech_like),
        cmocka_unit_test(dc_and_silence_leave_the_floor),
        cmocka_unit_test(every_wrong_default_would_be_noticed),
        cmocka_unit_test(goldens_of_torchaudio),
        cmocka_unit_test(frames_are_counted_as_kaldi_does),
        cmocka_unit_test(too_many_mels_are_refused),
    };
    static const enum vp_kernel kernels[] = {VP_KERNEL_BLAS, VP_KERNEL_AVX2, VP_KERNEL_AVX512,
                                             VP_KERNEL_NEON};
    int n_failed = 0;
    for (size_t i = 0; i < sizeof kernels / sizeof kernels[0]; i++) {
        kernel = kernels[i];
        if (vp_kernel_available(kernel))
            n_failed +=
                cmocka_run_group_tests_name(vp_kernel_name(kernel), tests, set_up, tear_down);
        else
            print_message("left out: %s, which this CPU has not\n", vp_kernel_name(kernel));
    }
    return n_failed;
}
