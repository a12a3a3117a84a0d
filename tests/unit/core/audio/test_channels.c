/* One channel out of several, by every decoder. */
#include "unit.h"

#include <math.h>
#include <sndfile.h>

#include "audio/ffmpeg_library.h"
#include "decoding.h"

enum { RATE = 16000, N = 3 * RATE };

static float left[N], right[N], both[2 * N];

static int set_up(void **state)
{
    audio_file_buzz(left, N, RATE);
    audio_file_buzz(right, N, 10000.0); /* another voice */
    for (size_t i = 0; i < N; i++) {
        both[2 * i] = left[i];
        both[2 * i + 1] = 0.5F * right[i];
        right[i] = both[2 * i + 1];
    }
    return decoding_set_up(state);
}

static int forget_choice(void **state)
{
    (void)state;
    decoded.options.channel = VP_CHANNEL_MIX;
    return 0;
}

/* What is heard of channel of a recording of both, [N]. */
static const float *hear(int sf_format, unsigned channel)
{
    static float heard[N];
    decoded.options.channel = channel;
    decoding_expect(audio_file_write(sf_format, RATE, 2, both, N), VP_OK);
    assert_in_range(decoded.buffer.n_samples, N - RATE / 10, N + RATE / 10);
    assert_int_equal(decoded.info.channels, 2);
    assert_false(decoded.info.warnings & VP_WARN_CHANNELS_DIFFER);
    memset(heard, 0, sizeof heard);
    const size_t n = decoded.buffer.n_samples < N ? decoded.buffer.n_samples : N;
    memcpy(heard, decoded.buffer.samples, n * sizeof *heard);
    return heard;
}

static void the_channel_is_the_mono_file_of_it(void **state)
{
    (void)state;
    static const int lossless[] = {
        SF_FORMAT_WAV | SF_FORMAT_PCM_16,  SF_FORMAT_WAV | SF_FORMAT_FLOAT,
        SF_FORMAT_AIFF | SF_FORMAT_PCM_24, SF_FORMAT_FLAC | SF_FORMAT_PCM_16,
        SF_FORMAT_CAF | SF_FORMAT_ALAC_16,
    };
    const float *const sides[] = {left, right};
    for (size_t f = 0; f < sizeof lossless / sizeof lossless[0]; f++) {
        if ((lossless[f] & SF_FORMAT_SUBMASK) == SF_FORMAT_ALAC_16 && ffmpeg_library() == NULL)
            continue;
        for (unsigned side = 0; side < 2; side++) {
            const float *heard = hear(lossless[f], side + 1);
            const struct vp_clip_info info = decoded.info;
            decoded.options.channel = VP_CHANNEL_MIX;
            decoding_expect(audio_file_write(lossless[f], RATE, 1, sides[side], N), VP_OK);
            assert_memory_equal(heard, decoded.buffer.samples, N * sizeof *heard);
            assert_true(info.rms_dbfs == decoded.info.rms_dbfs);
            assert_true(info.peak_dbfs == decoded.info.peak_dbfs);
        }
    }
}

static double alike(const float *a, const float *b)
{
    double ab = 0.0, aa = 0.0, bb = 0.0;
    for (size_t i = 0; i < N; i++) {
        ab += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return ab / sqrt(aa * bb);
}

/* libvorbis, libopus, libmpg123, and FFmpeg for ADPCM. */
static void coded_channels_are_not_mistaken(void **state)
{
    (void)state;
    static const int coded[] = {
        SF_FORMAT_OGG | SF_FORMAT_VORBIS,
        SF_FORMAT_OGG | SF_FORMAT_OPUS,
        SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III,
        SF_FORMAT_WAV | SF_FORMAT_IMA_ADPCM,
    };
    for (size_t f = 0; f < sizeof coded / sizeof coded[0]; f++) {
        if ((coded[f] & SF_FORMAT_SUBMASK) == SF_FORMAT_IMA_ADPCM && ffmpeg_library() == NULL)
            continue;
        const float *heard = hear(coded[f], 1);
        assert_true(alike(heard, left) > 0.9 && alike(heard, right) < 0.5);
        heard = hear(coded[f], 2);
        assert_true(alike(heard, right) > 0.9 && alike(heard, left) < 0.5);
    }
}

static void a_channel_that_is_not_there_is_named(void **state)
{
    (void)state;
    decoded.options.channel = 3;
    decoding_expect(audio_file_write(SF_FORMAT_WAV | SF_FORMAT_PCM_16, RATE, 2, both, N),
                    VP_ERR_AUDIO_NO_CHANNEL);
    assert_non_null(strstr(decoded.err.message, "has 2 channels"));
    assert_true(decoded.err.value == 3.0 && decoded.err.limit == 2.0);
    decoded.options.channel = 2;
    decoding_expect(audio_file_write(SF_FORMAT_FLAC | SF_FORMAT_PCM_16, RATE, 1, left, N),
                    VP_ERR_AUDIO_NO_CHANNEL);
    assert_non_null(strstr(decoded.err.message, "has 1 channel;"));
    decoded.options.channel = 1;
    decoding_expect(audio_file_write(SF_FORMAT_FLAC | SF_FORMAT_PCM_16, RATE, 1, left, N), VP_OK);
}

/* Of a call whose other end shouts, or is silent. */
static void levels_are_of_the_channel(void **state)
{
    (void)state;
    static float loud[2 * N];
    for (size_t i = 0; i < N; i++) {
        loud[2 * i] = left[i];
        loud[2 * i + 1] = i % 200 < 100 ? 1.0F : -1.0F;
    }
    const int wav = SF_FORMAT_WAV | SF_FORMAT_PCM_16;
    decoded.options.channel = 2;
    decoding_expect(audio_file_write(wav, RATE, 2, loud, N), VP_OK);
    assert_true(decoded.info.warnings & VP_WARN_CLIPPING);
    decoded.options.channel = 1;
    decoding_expect(audio_file_write(wav, RATE, 2, loud, N), VP_OK);
    assert_false(decoded.info.warnings & VP_WARN_CLIPPING);
    for (size_t i = 0; i < N; i++)
        loud[2 * i + 1] = 0.0F;
    decoding_expect(audio_file_write(wav, RATE, 2, loud, N), VP_OK);
    decoded.options.channel = 2;
    decoding_expect(audio_file_write(wav, RATE, 2, loud, N), VP_ERR_AUDIO_SILENT);
}

static void words_for_channels(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        unsigned channel;
    } good[] = {{"mix", VP_CHANNEL_MIX},     {"left", 1}, {"right", 2},
                {"split", VP_CHANNEL_SPLIT}, {"1", 1},    {"8", 8}};
    static const char *const bad[] = {"", "0", "9", "10", "1 ", "-1", "Left", "a", "splits"};
    unsigned channel;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(vp_channel_parse(good[i].word, &channel));
        assert_int_equal(channel, good[i].channel);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(vp_channel_parse(bad[i], &channel));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_channel_is_the_mono_file_of_it, forget_choice),
        cmocka_unit_test_teardown(coded_channels_are_not_mistaken, forget_choice),
        cmocka_unit_test_teardown(a_channel_that_is_not_there_is_named, forget_choice),
        cmocka_unit_test_teardown(levels_are_of_the_channel, forget_choice),
        cmocka_unit_test(words_for_channels),
    };
    return cmocka_run_group_tests(tests, set_up, decoding_tear_down);
}
