/* What audio_decode refuses for its length, level or samples, and what it remarks on. */
#include "unit.h"

#include <math.h>
#include <sndfile.h>

#include "decoding.h"

static void durations_are_judged_with_value_and_limit(void **state)
{
    (void)state;
    static const int rates[] = {8000, 16000, 44100};
    const int wav = SF_FORMAT_WAV | SF_FORMAT_PCM_16;
    for (size_t r = 0; r < 3; r++) {
        decoding_expect(audio_file_of_buzz(wav, rates[r], 1, 0.4), VP_ERR_AUDIO_TOO_SHORT);
        assert_true(fabs(decoded.err.value - 0.4) < 1e-4 && decoded.err.limit == 0.5);
        decoding_expect(audio_file_of_buzz(wav, rates[r], 1, 0.5), VP_OK);
        assert_true(decoded.info.warnings & VP_WARN_SHORT_CLIP);
        decoding_expect(audio_file_of_buzz(wav, rates[r], 1, 10.0), VP_OK);
        assert_false(decoded.info.warnings & (VP_WARN_SHORT_CLIP | VP_WARN_TRUNCATED));
        decoding_expect(audio_file_of_buzz(wav, rates[r], 1, 10.001), VP_ERR_AUDIO_TOO_LONG);
        decoding_expect(audio_file_of_buzz(wav, rates[r], 1, 14.0), VP_ERR_AUDIO_TOO_LONG);
        assert_true(fabs(decoded.err.value - 14.0) < 1e-9 && decoded.err.limit == 10.0);
    }
    decoding_expect(audio_file_of_buzz(SF_FORMAT_OGG | SF_FORMAT_VORBIS, 16000, 1, 14.0),
                    VP_ERR_AUDIO_TOO_LONG);
    assert_true(decoded.err.value >= 10.0 && decoded.err.limit == 10.0);
}

static void a_long_recording_can_be_cut_instead(void **state)
{
    (void)state;
    static const int rates[] = {8000, 16000, 44100, 48000};
    decoded.limits.truncate = true;
    for (size_t r = 0; r < 4; r++) {
        decoding_expect(audio_file_of_buzz(SF_FORMAT_WAV | SF_FORMAT_PCM_16, rates[r], 2, 12.0),
                        VP_OK);
        assert_true(decoded.info.warnings & VP_WARN_TRUNCATED);
        assert_true(decoded.info.used_s == 10.0);
        assert_true(decoded.buffer.n_samples >= 159999 && decoded.buffer.n_samples <= 160001);
    }
    decoded.limits.truncate = false;
}

static void silence_is_judged_without_its_offset(void **state)
{
    (void)state;
    static float samples[32000];
    const int wav = SF_FORMAT_WAV | SF_FORMAT_FLOAT;
    decoding_expect(audio_file_write(wav, 16000, 1, samples, 32000), VP_ERR_AUDIO_SILENT);
    assert_true(decoded.err.value == -120.0 && decoded.err.limit == -60.0);
    for (size_t i = 0; i < 32000; i++)
        samples[i] = 0.25F; /* a dead input with an offset */
    decoding_expect(audio_file_write(wav, 16000, 1, samples, 32000), VP_ERR_AUDIO_SILENT);
    audio_file_buzz(samples, 32000, 16000.0);
    for (size_t i = 0; i < 32000; i++)
        samples[i] *= 3e-4F;
    decoding_expect(audio_file_write(wav, 16000, 1, samples, 32000), VP_ERR_AUDIO_SILENT);
    assert_true(decoded.err.value < -60.0 && decoded.err.value > -120.0);
    for (size_t i = 0; i < 32000; i++)
        samples[i] = samples[i] * 60.0F + 0.2F; /* about -50 dBFS, and an offset */
    decoding_expect(audio_file_write(wav, 16000, 1, samples, 32000), VP_OK);
    assert_true(decoded.info.warnings & VP_WARN_LOW_LEVEL);
    assert_true(decoded.info.warnings & VP_WARN_DC_OFFSET);
    assert_true(decoded.info.rms_dbfs < -45.0 && decoded.info.rms_dbfs > -60.0);
}

static void clipping_is_noticed_in_every_codec(void **state)
{
    (void)state;
    static const int formats[] = {
        SF_FORMAT_WAV | SF_FORMAT_PCM_U8, SF_FORMAT_WAV | SF_FORMAT_PCM_16,
        SF_FORMAT_WAV | SF_FORMAT_FLOAT,  SF_FORMAT_WAV | SF_FORMAT_ULAW,
        SF_FORMAT_WAV | SF_FORMAT_ALAW,   SF_FORMAT_FLAC | SF_FORMAT_PCM_16,
        SF_FORMAT_AIFF | SF_FORMAT_PCM_S8};
    static float samples[32000];
    for (int loud = 0; loud <= 1; loud++) {
        audio_file_buzz(samples, 32000, 16000.0);
        for (size_t i = 0; i < 32000; i++)
            samples[i] = fmaxf(-1.0F, fminf(1.0F, samples[i] * (loud ? 20.0F : 1.0F)));
        for (size_t f = 0; f < sizeof formats / sizeof formats[0]; f++) {
            decoding_expect(audio_file_write(formats[f], 16000, 1, samples, 32000), VP_OK);
            assert_int_equal(!!(decoded.info.warnings & VP_WARN_CLIPPING), loud);
            assert_true(loud ? decoded.info.clipped_ratio > 0.1
                             : decoded.info.clipped_ratio == 0.0);
            assert_true(loud ? decoded.info.peak_dbfs > -0.2 : decoded.info.peak_dbfs < -6.0);
        }
    }
}

static void only_numbers_are_samples(void **state)
{
    (void)state;
    static float samples[32000];
    static const float bad[] = {NAN, INFINITY, -INFINITY, 1e20F, -5e9F};
    for (size_t b = 0; b < sizeof bad / sizeof bad[0]; b++) {
        for (size_t at = 0; at < 31999; at += 31998) { /* the last: behind all whole vectors */
            audio_file_buzz(samples, 32000, 16000.0);
            samples[at] = bad[b];
            decoding_expect(
                audio_file_write(SF_FORMAT_WAV | SF_FORMAT_FLOAT, 16000, 1, samples, 31999),
                VP_ERR_AUDIO_SAMPLES);
            decoding_expect(
                audio_file_write(SF_FORMAT_AU | SF_FORMAT_FLOAT, 16000, 2, samples, 16000),
                VP_ERR_AUDIO_SAMPLES);
        }
    }
    audio_file_buzz(samples, 32000, 16000.0);
    for (size_t i = 0; i < 32000; i++)
        samples[i] *= 32768.0F; /* integers in a float file: loud, not wrong */
    decoding_expect(audio_file_write(SF_FORMAT_WAV | SF_FORMAT_FLOAT, 16000, 1, samples, 32000),
                    VP_OK);
    assert_true(decoded.info.warnings & VP_WARN_CLIPPING);
}

static void ready_samples_pass_the_same_checks(void **state)
{
    (void)state;
    static float samples[200000];
    audio_file_buzz(samples, 200000, 16000.0);
    assert_int_equal(audio_set_samples(&decoded.buffer, &decoded.limits, samples, 48000,
                                       &decoded.info, &decoded.err),
                     VP_OK);
    assert_int_equal(decoded.buffer.n_samples, 48000);
    assert_memory_equal(decoded.buffer.samples, samples, 48000 * sizeof *samples);
    assert_int_equal(decoded.info.n_frames, 298);
    assert_int_equal(decoded.info.sample_rate_hz, 16000);
    assert_int_equal(audio_set_samples(&decoded.buffer, &decoded.limits, samples, 7999,
                                       &decoded.info, &decoded.err),
                     VP_ERR_AUDIO_TOO_SHORT);
    assert_int_equal(audio_set_samples(&decoded.buffer, &decoded.limits, samples, 160001,
                                       &decoded.info, &decoded.err),
                     VP_ERR_AUDIO_TOO_LONG);
    assert_int_equal(audio_set_samples(&decoded.buffer, &decoded.limits, samples, 0, &decoded.info,
                                       &decoded.err),
                     VP_ERR_AUDIO_EMPTY);
    assert_int_equal(audio_set_samples(&decoded.buffer, &decoded.limits, samples, SIZE_MAX / 2,
                                       &decoded.info, &decoded.err),
                     VP_ERR_ARGUMENT);
    samples[7] = NAN;
    assert_int_equal(audio_set_samples(&decoded.buffer, &decoded.limits, samples, 48000,
                                       &decoded.info, &decoded.err),
                     VP_ERR_AUDIO_SAMPLES);
    assert_int_equal(decoded.buffer.n_samples, 0);
}

static void capacity_has_sane_bounds(void **state)
{
    (void)state;
    size_t n;
    assert_true(audio_capacity(60.0, &n));
    assert_true(n >= 960000 && n < 960100);
    static const double wrong[] = {0.0, -1.0, NAN, INFINITY, 1e300};
    for (size_t i = 0; i < 5; i++)
        assert_false(audio_capacity(wrong[i], &n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_are_judged_with_value_and_limit),
        cmocka_unit_test(a_long_recording_can_be_cut_instead),
        cmocka_unit_test(silence_is_judged_without_its_offset),
        cmocka_unit_test(clipping_is_noticed_in_every_codec),
        cmocka_unit_test(only_numbers_are_samples),
        cmocka_unit_test(ready_samples_pass_the_same_checks),
        cmocka_unit_test(capacity_has_sane_bounds),
    };
    return cmocka_run_group_tests(tests, decoding_set_up, decoding_tear_down);
}
