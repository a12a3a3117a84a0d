/* What audio_decode makes of good recordings, of channels, streams, cut files and several threads.
 */
#include "unit.h"

#include <math.h>
#include <pthread.h>
#include <sndfile.h>

#include "decoding.h"

static void put_little(unsigned char *at, uint64_t value, size_t n)
{
    for (size_t i = 0; i < n; i++)
        at[i] = (unsigned char)(value >> 8 * i);
}

/* Offset of a four-letter chunk in file. */
static size_t chunk_at(const struct audio_file *file, const char *id)
{
    for (size_t i = 0; i + 4 <= file->n; i++)
        if (memcmp(file->bytes + i, id, 4) == 0)
            return i;
    fail_msg("no chunk %s", id);
    return 0;
}

/* ---- every codec gives back what was put in -------------------------------------------------- */

static void codecs_give_back_the_samples(void **state)
{
    (void)state;
    static const struct {
        int sf_format;
        double snr_db; /* at least: the step of the codec, or its loss */
    } cases[] = {
        {SF_FORMAT_WAV | SF_FORMAT_PCM_U8, 28.0},
        {SF_FORMAT_WAV | SF_FORMAT_PCM_16, 75.0},
        {SF_FORMAT_WAV | SF_FORMAT_PCM_24, 120.0},
        {SF_FORMAT_WAV | SF_FORMAT_PCM_32, 130.0},
        {SF_FORMAT_WAV | SF_FORMAT_FLOAT, 300.0},
        {SF_FORMAT_WAV | SF_FORMAT_DOUBLE, 300.0},
        {SF_FORMAT_WAV | SF_FORMAT_ALAW, 34.0},
        {SF_FORMAT_WAV | SF_FORMAT_ULAW, 34.0},
        {SF_FORMAT_WAVEX | SF_FORMAT_PCM_16, 75.0},
        {SF_FORMAT_RF64 | SF_FORMAT_PCM_24, 120.0},
        {SF_FORMAT_W64 | SF_FORMAT_PCM_16, 75.0},
        {SF_FORMAT_AIFF | SF_FORMAT_PCM_S8, 28.0},
        {SF_FORMAT_AIFF | SF_FORMAT_PCM_16, 75.0},
        {SF_FORMAT_AIFF | SF_FORMAT_FLOAT, 300.0},
        {SF_FORMAT_AIFF | SF_FORMAT_PCM_16 | SF_ENDIAN_LITTLE, 75.0},
        {SF_FORMAT_AIFF | SF_FORMAT_ULAW, 34.0},
        {SF_FORMAT_AU | SF_FORMAT_PCM_S8, 28.0},
        {SF_FORMAT_AU | SF_FORMAT_PCM_32, 130.0},
        {SF_FORMAT_AU | SF_FORMAT_DOUBLE, 300.0},
        {SF_FORMAT_AU | SF_FORMAT_ALAW, 34.0},
        {SF_FORMAT_CAF | SF_FORMAT_PCM_16, 75.0},
        {SF_FORMAT_CAF | SF_FORMAT_PCM_24 | SF_ENDIAN_LITTLE, 120.0},
        {SF_FORMAT_CAF | SF_FORMAT_FLOAT, 300.0},
        {SF_FORMAT_CAF | SF_FORMAT_ALAW, 34.0},
        {SF_FORMAT_FLAC | SF_FORMAT_PCM_16, 75.0},
        {SF_FORMAT_FLAC | SF_FORMAT_PCM_24, 120.0},
        {SF_FORMAT_OGG | SF_FORMAT_VORBIS, 8.0},
    };
    const size_t n = 48000;
    float *original = calloc(n, sizeof *original);
    assert_non_null(original);
    audio_file_buzz(original, n, 16000.0);
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        decoding_expect(audio_file_write(cases[c].sf_format, 16000, 1, original, n), VP_OK);
        assert_int_equal(decoded.buffer.n_samples, n);
        assert_int_equal(decoded.info.n_samples, n);
        assert_int_equal(decoded.info.n_frames, 298);
        assert_true(decoded.info.duration_s == 3.0 && decoded.info.used_s == 3.0);
        double signal = 0.0, error = 1e-300;
        for (size_t i = 0; i < n; i++) {
            signal += pow((double)original[i], 2);
            error += pow((double)decoded.buffer.samples[i] - (double)original[i], 2);
        }
        const double snr_db = 10.0 * log10(signal / error);
        if (snr_db < cases[c].snr_db)
            fail_msg("%s %s: %.1f dB", decoded.info.container, decoded.info.codec, snr_db);
    }
    free(original);
}

static void rates_and_channels_become_sixteen_khz_mono(void **state)
{
    (void)state;
    static const int rates[] = {8000, 11025, 16000, 22050, 32000, 44100, 48000, 96000, 192000};
    for (size_t r = 0; r < sizeof rates / sizeof rates[0]; r++) {
        for (int channels = 1; channels <= 8; channels += r == 2 ? 1 : 7) {
            decoding_expect(
                audio_file_of_buzz(SF_FORMAT_WAV | SF_FORMAT_PCM_16, rates[r], channels, 2.5),
                VP_OK);
            assert_int_equal(decoded.info.sample_rate_hz, rates[r]);
            assert_int_equal(decoded.info.channels, channels);
            assert_true(fabs((double)decoded.buffer.n_samples - 40000.0) <= 1.0);
            assert_true(fabs(decoded.info.duration_s - 2.5) < 1e-4);
            assert_false(decoded.info.warnings & VP_WARN_CHANNELS_DIFFER);
            assert_int_equal(!!(decoded.info.warnings & VP_WARN_NARROWBAND_SOURCE),
                             rates[r] < 16000);
        }
    }
}

/* ---- channels ------------------------------------------------------------------------------- */

/* A file whose channel c is gains[c] times the buzz; a gain of 9 stands for another voice. */
static void decode_channels(const double *gains, int channels)
{
    const size_t n = 40000, n_channels = (size_t)channels;
    float *mono = calloc(n, sizeof *mono), *all = calloc(n * n_channels, sizeof *all);
    assert_true(mono != NULL && all != NULL);
    audio_file_buzz(mono, n, 16000.0);
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < n_channels; c++)
            all[i * n_channels + c] =
                gains[c] == 9.0 ? mono[n - 1 - i] : (float)(gains[c] * (double)mono[i]);
    decoding_expect(audio_file_write(SF_FORMAT_WAV | SF_FORMAT_FLOAT, 16000, channels, all, n),
                    VP_OK);
    free(mono);
    free(all);
}

static void channels_that_cancel_do_not_lose_the_voice(void **state)
{
    (void)state;
    static float mono[40000];
    audio_file_buzz(mono, 40000, 16000.0);
    static const struct {
        int channels;
        double gains[6];
        double gain; /* of what comes out */
        bool differ;
    } cases[] = {
        {2, {1, 1}, 1.0, false},          {2, {1, 0.8}, 0.9, false},
        {2, {1, 0}, 0.5, true},           {2, {0, 1}, 0.5, true},
        {2, {1, -1}, 1.0, true},          {2, {-0.5, 0.6}, 0.6, true},
        {6, {0, 0, 1, 0, 0, 0}, 1, true}, {6, {1, 1, 1, 1, 1, 1}, 1.0, false},
        {3, {1, 1, -1}, 1.0 / 3.0, true},
    };
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        decode_channels(cases[c].gains, cases[c].channels);
        for (size_t i = 0; i < 40000; i++)
            assert_true(fabs((double)decoded.buffer.samples[i] - cases[c].gain * (double)mono[i]) <
                        1e-6);
        assert_int_equal(!!(decoded.info.warnings & VP_WARN_CHANNELS_DIFFER), cases[c].differ);
    }
    decode_channels((const double[]){1, 9}, 2); /* two voices, one in each ear */
    assert_true(decoded.info.warnings & VP_WARN_CHANNELS_DIFFER);
}

/* An offset in one channel is no voice. */
static void an_offset_does_not_count_as_loud(void **state)
{
    (void)state;
    static float all[80000], mono[40000];
    audio_file_buzz(mono, 40000, 16000.0);
    for (size_t i = 0; i < 40000; i++) {
        all[2 * i] = mono[i];
        all[2 * i + 1] = 0.9F; /* dead, with an offset */
    }
    decoding_expect(audio_file_write(SF_FORMAT_WAV | SF_FORMAT_FLOAT, 16000, 2, all, 40000), VP_OK);
    assert_true(decoded.info.warnings & VP_WARN_CHANNELS_DIFFER);
    assert_true(decoded.info.warnings & VP_WARN_DC_OFFSET);
    assert_true(fabs((double)(decoded.buffer.samples[100] - decoded.buffer.samples[0]) -
                     0.5 * (double)(mono[100] - mono[0])) < 1e-6);
}

/* ---- streams of unknown length, and cut files ------------------------------------------------ */

static void streamed_wavs_are_read_to_the_end(void **state)
{
    (void)state;
    static const uint32_t lengths[] = {0xFFFFFFFF, 0,          0x7FFFFFFF,
                                       0x7FFFF000, 0x80000000, 0xFFFFFFFF - 36};
    for (size_t l = 0; l < sizeof lengths / sizeof lengths[0]; l++) {
        for (size_t extra = 0; extra < 2; extra++) { /* with half a frame at the end, or not */
            struct audio_file whole =
                audio_file_of_buzz(SF_FORMAT_WAV | SF_FORMAT_PCM_16, 16000, 1, 1.0);
            const size_t data = chunk_at(&whole, "data");
            put_little(whole.bytes + data + 4, lengths[l], 4);
            put_little(whole.bytes + 4, lengths[l], 4);
            struct audio_file file = audio_file_copy(whole.bytes, data + 8 + 32000 - extra);
            audio_file_free(&whole);
            decoding_expect(file, VP_OK);
            assert_int_equal(decoded.buffer.n_samples, 16000 - extra);
        }
    }
    struct audio_file au = audio_file_of_buzz(SF_FORMAT_AU | SF_FORMAT_PCM_16, 16000, 1, 1.0);
    memset(au.bytes + 8, 0xFF, 4);
    decoding_expect(au, VP_OK);
    assert_int_equal(decoded.buffer.n_samples, 16000);
    struct audio_file caf = audio_file_of_buzz(SF_FORMAT_CAF | SF_FORMAT_PCM_16, 16000, 1, 1.0);
    memset(caf.bytes + chunk_at(&caf, "data") + 4, 0xFF, 8);
    decoding_expect(caf, VP_OK);
    assert_int_equal(decoded.buffer.n_samples, 16000);
}

static void a_data_chunk_of_length_zero_before_another_is_empty(void **state)
{
    (void)state;
    static const unsigned char file[] = "RIFF\x34\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x80\x3E\0\0"
                                        "\0\x7D\0\0\x02\0\x10\0data\0\0\0\0LIST\x04\0\0\0INFO";
    decoding_expect(audio_file_copy(file, sizeof file - 1), VP_ERR_AUDIO_UNDECODABLE);
    assert_non_null(strstr(decoded.err.message, "no audio"));
}

static void cut_files_are_refused(void **state)
{
    (void)state;
    static const int formats[] = {
        SF_FORMAT_WAV | SF_FORMAT_PCM_16,          SF_FORMAT_WAVEX | SF_FORMAT_FLOAT,
        SF_FORMAT_RF64 | SF_FORMAT_PCM_16,         SF_FORMAT_W64 | SF_FORMAT_PCM_16,
        SF_FORMAT_AIFF | SF_FORMAT_PCM_16,         SF_FORMAT_AU | SF_FORMAT_PCM_16,
        SF_FORMAT_CAF | SF_FORMAT_PCM_16,          SF_FORMAT_FLAC | SF_FORMAT_PCM_16,
        SF_FORMAT_OGG | SF_FORMAT_VORBIS,          SF_FORMAT_OGG | SF_FORMAT_OPUS,
        SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III,
    };
    for (size_t f = 0; f < sizeof formats / sizeof formats[0]; f++) {
        struct audio_file whole = audio_file_of_buzz(formats[f], 16000, 1, 2.0);
        assert_int_equal(decoding_of(whole.bytes, whole.n), VP_OK);
        for (size_t share = 1; share < 8; share++)
            decoding_expect(audio_file_copy(whole.bytes, whole.n * share / 8),
                            VP_ERR_AUDIO_UNDECODABLE);
        audio_file_free(&whole);
    }
}

static void what_follows_the_audio_does_no_harm(void **state)
{
    (void)state;
    static const int formats[] = {
        SF_FORMAT_WAV | SF_FORMAT_PCM_16,  SF_FORMAT_W64 | SF_FORMAT_PCM_16,
        SF_FORMAT_AIFF | SF_FORMAT_PCM_16, SF_FORMAT_FLAC | SF_FORMAT_PCM_16,
        SF_FORMAT_OGG | SF_FORMAT_VORBIS,  SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III};
    for (size_t f = 0; f < sizeof formats / sizeof formats[0]; f++) {
        struct audio_file whole = audio_file_of_buzz(formats[f], 16000, 1, 1.0);
        assert_int_equal(decoding_of(whole.bytes, whole.n), VP_OK);
        const size_t n_samples = decoded.buffer.n_samples;
        unsigned char *longer = calloc(1, whole.n + 128);
        assert_non_null(longer);
        memcpy(longer, whole.bytes, whole.n);
        memcpy(longer + whole.n, "TAG", 3); /* an ID3v1 tag, which taggers append to anything */
        decoding_expect(audio_file_copy(longer, whole.n + 128), VP_OK);
        assert_int_equal(decoded.buffer.n_samples, n_samples);
        free(longer);
        audio_file_free(&whole);
    }
}

static void an_id3_tag_may_come_first(void **state)
{
    (void)state;
    static const int formats[] = {SF_FORMAT_FLAC | SF_FORMAT_PCM_16,
                                  SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III};
    for (size_t f = 0; f < 2; f++) {
        struct audio_file whole = audio_file_of_buzz(formats[f], 16000, 1, 1.0);
        assert_int_equal(decoding_of(whole.bytes, whole.n), VP_OK);
        const size_t n_samples = decoded.buffer.n_samples, n_tag = 10 + 300;
        unsigned char *tagged = calloc(1, whole.n + n_tag);
        assert_non_null(tagged);
        memcpy(tagged, "ID3\x04\0\0\0\0\x02\x2C", 10); /* 2 * 128 + 44 = 300 */
        memcpy(tagged + n_tag, whole.bytes, whole.n);
        decoding_expect(audio_file_copy(tagged, whole.n + n_tag), VP_OK);
        assert_int_equal(decoded.buffer.n_samples, n_samples);
        decoding_expect(audio_file_copy(tagged, 200), VP_ERR_AUDIO_UNDECODABLE);
        free(tagged);
        audio_file_free(&whole);
    }
}

/* ---- several at once ------------------------------------------------------------------------ */

struct worker {
    const struct audio_file *files;
    size_t n_files;
    double sums[8];
};

static void *decode_all(void *user)
{
    struct worker *worker = user;
    struct audio_buffer own = {.capacity = decoded.buffer.capacity};
    own.samples = calloc(own.capacity, sizeof *own.samples);
    if (own.samples == NULL)
        return NULL;
    for (int round = 0; round < 3; round++) {
        for (size_t f = 0; f < worker->n_files; f++) {
            struct vp_clip_info own_info;
            struct vp_err own_err;
            worker->sums[f] = -1.0;
            if (audio_decode(&own, &decoded.limits, &decoded.options, worker->files[f].bytes,
                             worker->files[f].n, &own_info, &own_err) != VP_OK)
                continue;
            worker->sums[f] = 0.0;
            for (size_t i = 0; i < own.n_samples; i++)
                worker->sums[f] += (double)own.samples[i] * (double)(i % 97);
        }
    }
    free(own.samples);
    return worker;
}

static void threads_do_not_disturb_one_another(void **state)
{
    (void)state;
    static const int formats[] = {SF_FORMAT_WAV | SF_FORMAT_PCM_16,
                                  SF_FORMAT_FLAC | SF_FORMAT_PCM_16,
                                  SF_FORMAT_OGG | SF_FORMAT_VORBIS, SF_FORMAT_OGG | SF_FORMAT_OPUS,
                                  SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III};
    struct audio_file files[6];
    for (size_t f = 0; f < 5; f++)
        files[f] = audio_file_of_buzz(formats[f], f == 3 ? 48000 : 44100, 2, 1.5);
    files[5] = audio_file_copy("RIFF, but no more", 17);
    struct worker workers[4];
    pthread_t threads[4];
    for (size_t w = 0; w < 4; w++) {
        workers[w] = (struct worker){.files = files, .n_files = 6};
        assert_int_equal(pthread_create(&threads[w], NULL, decode_all, &workers[w]), 0);
    }
    for (size_t w = 0; w < 4; w++) {
        void *result = NULL;
        assert_int_equal(pthread_join(threads[w], &result), 0);
        assert_non_null(result);
        assert_true(workers[w].sums[5] == -1.0);
        for (size_t f = 0; f < 5; f++) {
            assert_true(workers[w].sums[f] != -1.0);
            assert_true(workers[w].sums[f] == workers[0].sums[f]);
        }
    }
    for (size_t f = 0; f < 6; f++)
        audio_file_free(&files[f]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codecs_give_back_the_samples),
        cmocka_unit_test(rates_and_channels_become_sixteen_khz_mono),
        cmocka_unit_test(channels_that_cancel_do_not_lose_the_voice),
        cmocka_unit_test(an_offset_does_not_count_as_loud),
        cmocka_unit_test(streamed_wavs_are_read_to_the_end),
        cmocka_unit_test(a_data_chunk_of_length_zero_before_another_is_empty),
        cmocka_unit_test(cut_files_are_refused),
        cmocka_unit_test(what_follows_the_audio_does_no_harm),
        cmocka_unit_test(an_id3_tag_may_come_first),
        cmocka_unit_test(threads_do_not_disturb_one_another),
    };
    return cmocka_run_group_tests(tests, decoding_set_up, decoding_tear_down);
}
