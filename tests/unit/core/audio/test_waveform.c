/* Outlines of recordings whose loud places are known. */
#include "unit.h"

#include <math.h>
#include <sndfile.h>

#include "audio_file.h"
#include "waveform.h"

#define N_COLUMNS 100
#define SECONDS   3.0

static struct vp_wave_column columns[N_COLUMNS];

/* `seconds` of silence at rate_hz but for one click of height `click` at click_s; the second
 * channel, if any, has it times `second`. */
static enum vp_status outline(int format, int rate_hz, int channels, double seconds, double click_s,
                              float click, float second, double shown_s)
{
    const size_t n = (size_t)(seconds * rate_hz);
    float *samples = calloc(n * (size_t)channels, sizeof *samples);
    struct vp_err err;
    assert_non_null(samples);
    for (int i = 0; i < rate_hz / 1000; i++) { /* of a millisecond, so that a resampler keeps it */
        float *frame = &samples[(size_t)(click_s * rate_hz + i) * (size_t)channels];
        frame[0] = click;
        if (channels > 1)
            frame[1] = click * second;
    }
    struct audio_file file = audio_file_write(format, rate_hz, channels, samples, n);
    memset(columns, 0x7f, sizeof columns);
    enum vp_status status =
        vp_waveform(file.bytes, file.n, VP_CHANNEL_MIX, shown_s, columns, N_COLUMNS, &err);
    audio_file_free(&file);
    free(samples);
    return status;
}

static void assert_click_at(size_t column, float height)
{
    for (size_t i = 0; i < N_COLUMNS; i++) {
        const float high = columns[i].high, low = columns[i].low;
        if (i == column)
            assert_true(fabsf((height > 0 ? high : low) - height) < 0.1f * fabsf(height));
        else if (i + 1 < column || i > column + 1) /* the filter rings into the next ones */
            assert_true(fabsf(high) < 0.02f && fabsf(low) < 0.02f);
        assert_true(low <= 0.0f && high >= 0.0f);
    }
}

static void test_click_stands_where_it_sounds(void **state)
{
    (void)state;
    /* 1.515 s of 3 s: the middle of column 50 */
    assert_int_equal(
        outline(SF_FORMAT_WAV | SF_FORMAT_PCM_16, 16000, 1, SECONDS, 1.515, 0.5f, 0, SECONDS),
        VP_OK);
    assert_click_at(50, 0.5f);
    assert_int_equal(
        outline(SF_FORMAT_WAV | SF_FORMAT_PCM_16, 16000, 1, SECONDS, 0.015, -0.5f, 0, SECONDS),
        VP_OK);
    assert_click_at(0, -0.5f);
    assert_int_equal(
        outline(SF_FORMAT_FLAC | SF_FORMAT_PCM_16, 44100, 2, SECONDS, 2.985, 0.5f, 1, SECONDS),
        VP_OK);
    assert_click_at(99, 0.5f);
}

static void test_channels_that_cancel(void **state)
{
    (void)state;
    assert_int_equal(
        outline(SF_FORMAT_WAV | SF_FORMAT_PCM_16, 16000, 2, SECONDS, 1.515, 0.5f, -1, SECONDS),
        VP_OK);
    assert_click_at(50, 0.5f);
}

static void test_less_and_more_than_the_recording(void **state)
{
    (void)state;
    /* half of it: what comes later does not show */
    assert_int_equal(
        outline(SF_FORMAT_WAV | SF_FORMAT_PCM_16, 16000, 1, SECONDS, 2.0, 0.5f, 0, SECONDS / 2),
        VP_OK);
    for (size_t i = 0; i < N_COLUMNS; i++)
        assert_true(columns[i].low == 0.0f && columns[i].high == 0.0f);
    /* twice as much: the rest is flat */
    assert_int_equal(
        outline(SF_FORMAT_WAV | SF_FORMAT_PCM_16, 16000, 1, SECONDS, 1.515, 0.5f, 0, 2 * SECONDS),
        VP_OK);
    assert_click_at(25, 0.5f);
}

static void test_refused(void **state)
{
    (void)state;
    struct vp_err err;
    static const char text[] = "no recording, but some words that go on for a while";
    assert_int_equal(vp_waveform(text, sizeof text, VP_CHANNEL_MIX, 1.0, columns, N_COLUMNS, &err),
                     VP_ERR_AUDIO_UNSUPPORTED);
    assert_int_equal(vp_waveform("", 0, VP_CHANNEL_MIX, 1.0, columns, N_COLUMNS, &err),
                     VP_ERR_AUDIO_EMPTY);
    assert_int_equal(vp_waveform(text, sizeof text, VP_CHANNEL_MIX, 0.0, columns, N_COLUMNS, &err),
                     VP_ERR_ARGUMENT);
    assert_int_equal(vp_waveform(text, sizeof text, VP_CHANNEL_MIX, NAN, columns, N_COLUMNS, &err),
                     VP_ERR_ARGUMENT);
    assert_int_equal(vp_waveform(text, sizeof text, VP_CHANNEL_MIX, 1.0, columns, 0, &err),
                     VP_ERR_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_click_stands_where_it_sounds),
        cmocka_unit_test(test_channels_that_cancel),
        cmocka_unit_test(test_less_and_more_than_the_recording),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
