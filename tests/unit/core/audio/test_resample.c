/* Resampling to 16 kHz: length, alignment, pass band, no aliases; block sizes change nothing. */
#include "unit.h"

#include <math.h>

#include "audio/resample.h"

#define PI       3.14159265358979323846
#define CAPACITY 41000u

static const unsigned rates[] = {8000,  11025, 12000, 16000, 22050, 24000,
                                 32000, 44100, 48000, 96000, 192000};
#define N_RATES (sizeof rates / sizeof rates[0])

/* The whole of samples in blocks of `block`; returns how many came out. */
static size_t resample(unsigned rate_hz, const float *samples, size_t n, size_t block, float *out)
{
    struct resampler *resampler = NULL;
    struct vp_err err;
    assert_int_equal(resampler_new(rate_hz, &resampler, &err), VP_OK);
    size_t total = 0, n_out;
    for (size_t i = 0; i < n; i += block) {
        const size_t n_here = n - i < block ? n - i : block;
        assert_int_equal(resampler_push(resampler, samples + i, n_here, out + total,
                                        CAPACITY - total, &n_out, &err),
                         VP_OK);
        total += n_out;
    }
    assert_int_equal(
        resampler_push(resampler, NULL, 0, out + total, CAPACITY - total, &n_out, &err), VP_OK);
    resampler_free(resampler);
    return total + n_out;
}

static float *tone(double hz, unsigned rate_hz, size_t n)
{
    float *samples = calloc(n + 1, sizeof *samples);
    assert_non_null(samples);
    for (size_t i = 0; i < n; i++)
        samples[i] = (float)(0.5 * sin(2.0 * PI * hz * (double)i / rate_hz));
    return samples;
}

/* Largest deviation of 0.5 sin from samples, edges left out. */
static double deviation(const float *samples, size_t n, double hz)
{
    double largest = 0.0;
    for (size_t i = 800; i + 800 < n; i++) {
        const double expected = hz > 0.0 ? 0.5 * sin(2.0 * PI * hz * (double)i / 16000.0) : 0.0;
        largest = fmax(largest, fabs((double)samples[i] - expected));
    }
    return largest;
}

static void length_is_that_of_the_recording(void **state)
{
    (void)state;
    static float out[CAPACITY];
    for (size_t r = 0; r < N_RATES; r++) {
        static const size_t lengths[] = {1, 7, 1000, 4096, 4097, 20001};
        for (size_t l = 0; l < sizeof lengths / sizeof lengths[0]; l++) {
            float *samples = tone(440.0, rates[r], lengths[l]);
            const size_t n = resample(rates[r], samples, lengths[l], 4096, out);
            const double expected = (double)lengths[l] * 16000.0 / rates[r];
            assert_true(fabs((double)n - expected) <= 0.5 + 1e-9);
            free(samples);
        }
    }
}

/* A tone comes out as the same tone at the same time: no delay, no gain. */
static void tones_keep_their_place(void **state)
{
    (void)state;
    static float out[CAPACITY];
    static const double tones[] = {100.0, 1000.0, 3300.0};
    for (size_t r = 0; r < N_RATES; r++) {
        for (size_t t = 0; t < 3; t++) {
            const size_t n = rates[r]; /* a second */
            float *samples = tone(tones[t], rates[r], n);
            const size_t n_out = resample(rates[r], samples, n, 4096, out);
            free(samples);
            assert_true(n_out >= 15999 && n_out <= 16001);
            assert_true(deviation(out, n_out, tones[t]) < 1e-4); /* -74 dB */
        }
    }
}

static void speech_band_passes_and_nothing_folds_back(void **state)
{
    (void)state;
    static float out[CAPACITY];
    for (size_t r = 0; r < N_RATES; r++) {
        if (rates[r] < 22050)
            continue;
        float *samples = tone(7000.0, rates[r], rates[r]);
        size_t n_out = resample(rates[r], samples, rates[r], 4096, out);
        assert_true(deviation(out, n_out, 7000.0) < 1e-3);
        free(samples);
        samples = tone(9000.0, rates[r], rates[r]); /* would appear at 7000 Hz */
        n_out = resample(rates[r], samples, rates[r], 4096, out);
        assert_true(deviation(out, n_out, 0.0) < 1e-4);
        free(samples);
    }
}

static void block_size_changes_nothing(void **state)
{
    (void)state;
    static float whole[CAPACITY], pieces[CAPACITY];
    for (size_t r = 0; r < N_RATES; r++) {
        const size_t n = rates[r] / 4;
        float *samples = tone(777.0, rates[r], n);
        const size_t n_whole = resample(rates[r], samples, n, n, whole);
        const size_t n_pieces = resample(rates[r], samples, n, 333, pieces);
        assert_int_equal(n_whole, n_pieces);
        assert_memory_equal(whole, pieces, n_whole * sizeof *whole);
        free(samples);
    }
}

static void sixteen_khz_is_untouched(void **state)
{
    (void)state;
    static float out[CAPACITY];
    float *samples = tone(5000.0, 16000, 5000);
    assert_int_equal(resample(16000, samples, 5000, 999, out), 5000);
    assert_memory_equal(samples, out, 5000 * sizeof *out);
    free(samples);
}

static void too_little_room_is_an_error(void **state)
{
    (void)state;
    static float out[CAPACITY];
    static const unsigned some[] = {8000, 16000, 48000};
    for (size_t r = 0; r < 3; r++) {
        float *samples = tone(100.0, some[r], 9000);
        struct resampler *resampler = NULL;
        struct vp_err err;
        size_t n_out;
        assert_int_equal(resampler_new(some[r], &resampler, &err), VP_OK);
        assert_int_equal(resampler_push(resampler, samples, 9000, out, 1000, &n_out, &err),
                         VP_ERR_ARGUMENT);
        assert_int_equal(n_out, 0);
        resampler_free(resampler);
        free(samples);
    }
    resampler_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(length_is_that_of_the_recording),
        cmocka_unit_test(tones_keep_their_place),
        cmocka_unit_test(speech_band_passes_and_nothing_folds_back),
        cmocka_unit_test(block_size_changes_nothing),
        cmocka_unit_test(sixteen_khz_is_untouched),
        cmocka_unit_test(too_little_room_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
