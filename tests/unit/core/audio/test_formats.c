/*
 * Real speech in every encoding of SPEECH_DIR/formats: accepted files give the samples that an
 * independent decoder gives (ffmpeg, resampling with libsoxr as well, so that decoders are
 * compared and not filters); the others are refused by name; each of formats/bad gets its answer.
 */
#include "unit.h"

#include <math.h>

#include "audio/audio.h"
#include "audio_file.h"

#define CAPACITY_S 10u

static const char *speech_dir;
static struct vp_limits limits;
static const struct vp_clip_options options;
static struct audio_buffer buffer;
static struct vp_clip_info info;
static struct vp_err err;

static int set_up(void **state)
{
    (void)state;
    limits = (struct vp_limits){.min_duration_s = 0.5,
                                .warn_duration_s = 2.0,
                                .max_duration_s = CAPACITY_S,
                                .silence_dbfs = -60.0};
    if (!audio_capacity(CAPACITY_S, &buffer.capacity))
        return -1;
    buffer.samples = calloc(buffer.capacity, sizeof *buffer.samples);
    return buffer.samples == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    free(buffer.samples);
    return 0;
}

static enum vp_status decode(const char *name)
{
    char path[1024];
    static unsigned char bytes[1 << 20];
    snprintf(path, sizeof path, "%s/formats/%s", speech_dir, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        fail_msg("%s cannot be opened", path);
    const size_t n = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    assert_true(n < sizeof bytes);
    struct audio_file copy = audio_file_copy(bytes, n);
    enum vp_status status =
        audio_decode(&buffer, &limits, &options, copy.bytes, copy.n, &info, &err);
    audio_file_free(&copy);
    return status;
}

/* What ffmpeg makes of a file at 16 kHz mono; returns the number of samples. */
static size_t reference(const char *name, const char *decoder, float *samples, size_t capacity)
{
    char command[2048];
    snprintf(command, sizeof command,
             "ffmpeg -v error -nostdin %s -i '%s/formats/%s' -ac 1 -ar 16000 "
             "-af aresample=resampler=soxr:precision=20 -f f32le -",
             decoder, speech_dir, name);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    const size_t n = fread(samples, sizeof *samples, capacity, pipe);
    if (pclose(pipe) != 0)
        fail_msg("ffmpeg failed on %s: is it installed?", name);
    return n;
}

static const struct {
    const char *name, *container, *codec;
    double snr_db;       /* against ffmpeg, at least */
    const char *decoder; /* ffmpeg's option, where its own decoder is not exact */
} accepted[] = {
    /* integers and floats: the same numbers, so nothing but the resampler's last bit differs */
    {"wav-pcm16-16k.wav", "wav", "pcm_16", 200, ""},
    {"wav-pcm24-16k.wav", "wav", "pcm_24", 130, ""},
    {"wav-pcm32-16k.wav", "wav", "pcm_32", 130, ""},
    {"wav-u8-16k.wav", "wav", "pcm_u8", 200, ""},
    {"wav-float32-16k.wav", "wav", "float", 200, ""},
    {"wav-alaw-16k.wav", "wav", "alaw", 200, ""},
    {"wav-mulaw-16k.wav", "wav", "mulaw", 200, ""},
    {"rf64-pcm16-16k.wav", "rf64", "pcm_16", 200, ""},
    {"w64-pcm16-16k.w64", "w64", "pcm_16", 200, ""},
    {"aiff-pcm16-16k.aiff", "aiff", "pcm_16", 200, ""},
    {"aiff-pcm24-16k.aiff", "aiff", "pcm_24", 130, ""},
    {"au-pcm16-16k.au", "au", "pcm_16", 200, ""},
    {"caf-pcm16-16k.caf", "caf", "pcm_16", 200, ""},
    {"flac-16bit-16k.flac", "flac", "flac", 200, ""},
    {"wav-pcm16-8000.wav", "wav", "pcm_16", 110, ""},
    {"wav-float64-8k.wav", "wav", "double", 110, ""},
    {"wav-alaw-8k.wav", "wav", "alaw", 110, ""},
    {"wav-mulaw-8k.wav", "wav", "mulaw", 110, ""},
    {"au-mulaw-8k.au", "au", "mulaw", 110, ""},
    {"wav-pcm16-11025.wav", "wav", "pcm_16", 110, ""},
    {"wav-pcm16-22050.wav", "wav", "pcm_16", 110, ""},
    {"wav-pcm16-32000.wav", "wav", "pcm_16", 110, ""},
    {"wav-pcm16-44100.wav", "wav", "pcm_16", 110, ""},
    {"wav-pcm16-48000.wav", "wav", "pcm_16", 110, ""},
    {"flac-24bit-48k.flac", "flac", "flac", 110, ""},
    {"wav-pcm16-8k-5.1.wav", "wav", "pcm_16", 110, ""}, /* the voice is in one channel of six */
    {"wav-pcm16-16k-stereo-same.wav", "wav", "pcm_16", 110, ""},
    {"wav-pcm16-16k-stereo-leftonly.wav", "wav", "pcm_16", 110, ""},
    /* lossy: two decoders of one stream, in float */
    {"mp3-64k-16k.mp3", "mp3", "mp3", 100, ""},
    {"mp3-vbr-22k.mp3", "mp3", "mp3", 100, ""},
    {"mp3-128k-44k.mp3", "mp3", "mp3", 100, ""},
    {"ogg-vorbis-16k.ogg", "ogg", "vorbis", 100, ""},
    {"ogg-vorbis-44k.ogg", "ogg", "vorbis", 100, ""},
    /* ffmpeg's own Opus resamples speech frames otherwise; the codec's authors' is the norm */
    {"ogg-opus-24kbps.opus", "ogg", "opus", 80, "-c:a libopus"},
    {"webm-opus.webm", "webm", "opus", 80, "-c:a libopus"},
    {"adts-aac-16k.aac", "aac", "aac", 100, ""},
    {"m4a-aac-16k.m4a", "m4a", "aac", 100, ""},
    {"m4a-aac-44k.m4a", "m4a", "aac", 100, ""},
    {"mka-vorbis-16k.mka", "matroska", "vorbis", 100, ""},
    {"wma-16k.wma", "asf", "wma_v2", 100, ""},
    {"ogg-flac-16k.oga", "ogg", "flac", 120, ""},
    {"wav-adpcm-ima-16k.wav", "wav", "ima_adpcm", 120, ""},
    {"wav-adpcm-ms-16k.wav", "wav", "ms_adpcm", 120, ""},
    {"wav-gsm-8k.wav", "wav", "gsm", 100, ""},
};

/* Ratio in dB after the best gain: how a mean of channels is scaled is a matter of taste. */
static double snr_db(const float *reference_samples, const float *samples, size_t n)
{
    double cross = 0.0, own = 1e-300, error = 1e-300, power = 0.0;
    for (size_t i = 0; i < n; i++) {
        cross += (double)reference_samples[i] * (double)samples[i];
        own += (double)samples[i] * (double)samples[i];
    }
    for (size_t i = 0; i < n; i++) {
        power += pow((double)reference_samples[i], 2);
        error += pow((double)reference_samples[i] - cross / own * (double)samples[i], 2);
    }
    return 10.0 * log10(power / error);
}

static void accepted_files_are_decoded_as_by_ffmpeg(void **state)
{
    (void)state;
    static float expected[CAPACITY_S * 16000u];
    for (size_t f = 0; f < sizeof accepted / sizeof accepted[0]; f++) {
        if (decode(accepted[f].name) != VP_OK)
            fail_msg("%s: %s", accepted[f].name, err.message);
        assert_string_equal(info.container, accepted[f].container);
        assert_string_equal(info.codec, accepted[f].codec);
        const size_t n = reference(accepted[f].name, accepted[f].decoder, expected,
                                   sizeof expected / sizeof expected[0]);
        assert_true(n > 8000);
        assert_int_equal(n, buffer.n_samples);
        const double snr = snr_db(expected, buffer.samples, n);
        if (snr < accepted[f].snr_db)
            fail_msg("%s: %.1f dB", accepted[f].name, snr);
    }
}

/* In opposite phase the mean is nothing: the first channel must come out. */
static void antiphase_gives_one_channel(void **state)
{
    (void)state;
    static float mono[32000];
    assert_int_equal(decode("wav-pcm16-16k.wav"), VP_OK);
    assert_int_equal(buffer.n_samples, 32000);
    memcpy(mono, buffer.samples, sizeof mono);
    assert_int_equal(decode("wav-pcm16-16k-stereo-antiphase.wav"), VP_OK);
    assert_int_equal(buffer.n_samples, 32000);
    assert_true(info.warnings & VP_WARN_CHANNELS_DIFFER);
    assert_true(snr_db(mono, buffer.samples, 32000) > 100.0);
}

static void the_others_are_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *name, *detected;
    } others[] = {
        {"nist-sphere-16k.sph", "nist sphere"},
        {"raw-s16le-16k.pcm", "unknown format"},
    };
    for (size_t f = 0; f < sizeof others / sizeof others[0]; f++) {
        assert_int_equal(decode(others[f].name), VP_ERR_AUDIO_UNSUPPORTED);
        assert_string_equal(err.detected, others[f].detected);
    }
}

static void bad_files_get_their_answer(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum vp_status status;
        unsigned warning; /* of an accepted one */
        const char *says; /* in the sentence of a refused one */
    } bad[] = {
        {"bad/bit-flipped.flac", VP_ERR_AUDIO_UNDECODABLE, 0, "damaged"},
        {"bad/truncated.flac", VP_ERR_AUDIO_UNDECODABLE, 0, "cut"},
        {"bad/truncated-data.wav", VP_ERR_AUDIO_UNDECODABLE, 0, "1.00 s of its 2.00 s"},
        {"bad/cut-in-header.wav", VP_ERR_AUDIO_UNDECODABLE, 0, "cut"},
        {"bad/header-only.wav", VP_ERR_AUDIO_UNDECODABLE, 0, "cut"},
        {"bad/empty.wav", VP_ERR_AUDIO_EMPTY, 0, "no bytes"},
        {"bad/text.wav", VP_ERR_AUDIO_UNSUPPORTED, 0, "text"},
        {"bad/nan-inf-float.wav", VP_ERR_AUDIO_SAMPLES, 0, "NaN"},
        {"bad/short-10ms.wav", VP_ERR_AUDIO_TOO_SHORT, 0, "0.010 s"},
        {"bad/short-100ms.wav", VP_ERR_AUDIO_TOO_SHORT, 0, "0.100 s"},
        {"bad/silence-1s.wav", VP_ERR_AUDIO_SILENT, 0, "silent"},
        {"bad/clipped.wav", VP_OK, VP_WARN_CLIPPING, NULL},
        {"bad/dc-offset.wav", VP_OK, VP_WARN_DC_OFFSET, NULL},
        {"bad/mp3-named-wav.wav", VP_OK, 0, NULL},
    };
    for (size_t f = 0; f < sizeof bad / sizeof bad[0]; f++) {
        const enum vp_status status = decode(bad[f].name);
        if (status != bad[f].status)
            fail_msg("%s: %s", bad[f].name, vp_status_name(status));
        if (status == VP_OK)
            assert_int_equal(info.warnings & bad[f].warning, bad[f].warning);
        else
            assert_non_null(strstr(err.message, bad[f].says));
    }
    assert_int_equal(decode("bad/mp3-named-wav.wav"), VP_OK);
    assert_string_equal(info.container, "mp3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepted_files_are_decoded_as_by_ffmpeg),
        cmocka_unit_test(antiphase_gives_one_channel),
        cmocka_unit_test(the_others_are_refused_by_name),
        cmocka_unit_test(bad_files_get_their_answer),
    };
    const char *recordings = getenv("RECORDINGS");
    speech_dir = getenv("SPEECH_DIR");
    if (speech_dir == NULL)
        speech_dir = "../shared/audio";
    char path[1024];
    snprintf(path, sizeof path, "%s/formats/formats.csv", speech_dir);
    FILE *list = fopen(path, "rb");
    if (list != NULL)
        fclose(list);
    else if (recordings == NULL || strcmp(recordings, "required") != 0) {
        printf("1..1\nok 1 - formats # SKIP left out: no recordings in %s\n", path);
        return 0;
    }
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
