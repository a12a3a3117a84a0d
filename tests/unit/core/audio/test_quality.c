/* Levels, speech and bandwidth of signals whose answer is known. */
#include "unit.h"

#include <math.h>

#include "audio/quality.h"
#include "audio/resample.h"
#include "audio_file.h"

#define PI    3.14159265358979323846
#define N_MAX 80000

static float samples[N_MAX];
static uint32_t seed;

static double noise(void) /* uniform in [-1, 1) */
{
    seed = seed * 1664525u + 1013904223u;
    return (double)(seed >> 8) / (double)(1 << 23) - 1.0;
}

static struct quality measure(size_t n)
{
    struct quality quality;
    float *exact = malloc(n * sizeof *exact + 1);
    assert_non_null(exact);
    memcpy(exact, samples, n * sizeof *exact);
    quality_measure(exact, n, &quality);
    free(exact);
    return quality;
}

static bool near(double found, double expected, double tolerance)
{
    if (fabs(found - expected) <= tolerance)
        return true;
    print_error("found %g, expected %g\n", found, expected);
    return false;
}

static void level_and_offset_of_a_tone(void **state)
{
    (void)state;
    static const size_t lengths[] = {16000, 15999, 1681};
    for (size_t l = 0; l < 3; l++) {
        for (size_t i = 0; i < lengths[l]; i++)
            samples[i] = (float)(0.3 + 0.1 * sin(2.0 * PI * 1000.0 * (double)i / 16000.0));
        const struct quality quality = measure(lengths[l]);
        assert_true(near(quality.offset, 0.3, 1e-3));
        assert_true(near(quality.rms_dbfs, 20.0 * log10(0.1 / sqrt(2.0)), 0.02));
        assert_true(near(quality.speech_s, 0.0, 0.0)); /* nothing stands out of a tone */
    }
}

static void silence_and_constants_have_the_floor(void **state)
{
    (void)state;
    static const float levels[] = {0.0F, 0.5F, -1.0F, 0.3F};
    for (size_t l = 0; l < 4; l++) {
        for (size_t i = 0; i < 5000; i++)
            samples[i] = levels[l];
        const struct quality quality = measure(5000);
        assert_true(quality.rms_dbfs == QUALITY_FLOOR_DBFS);
        assert_true(quality.speech_s == 0.0);
        assert_true(near(quality.offset, (double)levels[l], 1e-6));
    }
    assert_true(measure(0).rms_dbfs == QUALITY_FLOOR_DBFS);
    assert_true(quality_dbfs(1.0) == 0.0);
    assert_true(quality_dbfs(0.0) == QUALITY_FLOOR_DBFS);
    assert_true(near(quality_dbfs(0.1), -20.0, 1e-9));
}

static void speech_is_the_time_above_the_floor(void **state)
{
    (void)state;
    /* bursts of noise, 1.5 s of 4 s, over digital silence and over a floor 40 dB below */
    for (int with_floor = 0; with_floor <= 1; with_floor++) {
        for (size_t i = 0; i < 64000; i++) {
            const bool burst = i % 16000 < 6000;
            samples[i] = (float)(noise() * (burst ? 0.3 : with_floor * 0.003));
        }
        assert_true(near(measure(64000).speech_s, 1.5, 0.05));
    }
    for (size_t i = 0; i < 64000; i++)
        samples[i] = (float)(0.3 * noise());
    assert_true(measure(64000).speech_s == 0.0);
}

static void bandwidth_tells_telephone_from_microphone(void **state)
{
    (void)state;
    static float narrow[20000];
    static const double tones[] = {500.0, 2000.0, 3300.0, 5000.0, 7000.0};
    static const double at_least[] = {-200.0, -200.0, -200.0, -0.2, -0.2};
    static const double at_most[] = {-70.0, -70.0, -42.0, 0.2, 0.2};
    for (size_t t = 0; t < 5; t++) {
        for (size_t i = 0; i < 16000; i++)
            samples[i] = (float)(0.05 + 0.1 * sin(2.0 * PI * tones[t] * (double)i / 16000.0));
        const double db = measure(16000).high_band_db;
        if (db < at_least[t] || db > at_most[t])
            fail_msg("%g Hz: %g dB above 4 kHz", tones[t], db);
    }
    audio_file_buzz(samples, 32000, 16000.0);
    assert_true(measure(32000).high_band_db > -35.0);

    /* the same at 8 kHz, brought to 16 */
    struct resampler *resampler = NULL;
    struct vp_err err;
    size_t n, n_tail;
    audio_file_buzz(narrow, 16000, 8000.0);
    for (size_t i = 0; i + 2 < 16000; i++) /* the sharp buzz loses what lies at 4 kHz itself */
        narrow[i] = 0.25F * narrow[i] + 0.5F * narrow[i + 1] + 0.25F * narrow[i + 2];
    assert_int_equal(resampler_new(8000, &resampler, &err), VP_OK);
    assert_int_equal(resampler_push(resampler, narrow, 16000, samples, N_MAX, &n, &err), VP_OK);
    assert_int_equal(resampler_push(resampler, NULL, 0, samples + n, N_MAX - n, &n_tail, &err),
                     VP_OK);
    resampler_free(resampler);
    assert_true(measure(n + n_tail).high_band_db < -42.0);
}

/* Float files may hold the numbers of 32-bit integers. */
static void huge_samples_stay_finite(void **state)
{
    (void)state;
    for (size_t i = 0; i < 16000; i++)
        samples[i] = (float)(4294967296.0 * noise());
    const struct quality quality = measure(16000);
    assert_true(isfinite(quality.rms_dbfs) && quality.rms_dbfs > 180.0);
    assert_true(isfinite(quality.high_band_db) && isfinite(quality.offset));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(level_and_offset_of_a_tone),
        cmocka_unit_test(silence_and_constants_have_the_floor),
        cmocka_unit_test(speech_is_the_time_above_the_floor),
        cmocka_unit_test(bandwidth_tells_telephone_from_microphone),
        cmocka_unit_test(huge_samples_stay_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
