/*
 * What libavformat reads, made at test time by ffmpeg from a buzz that passes for speech: each file
 * gives the samples that ffmpeg's own command gives, as many of them, so that the encoder's delay
 * and padding are cut where it cuts them. Resampling is libsoxr's on both sides.
 */
#include "unit.h"

#include <math.h>
#include <sndfile.h>
#include <stdlib.h>
#include <unistd.h>

#include "decoding.h"

#define SECONDS 4u
#define RATE_HZ 16000u
#define MOST    (6u * RATE_HZ)

static char folder[] = "/tmp/test_media.XXXXXX";

/* In `folder`, with ffmpeg quiet; the test fails where the command does. */
static void run(const char *command)
{
    char line[1024];
    snprintf(line, sizeof line, "cd %s && %s", folder, command);
    if (system(line) != 0)
        fail_msg("failed: %s (are ffmpeg and its encoders installed?)", line);
}

/* given.wav -> made */
static void make(const char *options)
{
    char command[512];
    snprintf(command, sizeof command, "ffmpeg -v error -nostdin -y -i given.wav %s made", options);
    run(command);
}

static void write_file(const char *name, struct audio_file file)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(file.bytes, 1, file.n, out), file.n);
    assert_int_equal(fclose(out), 0);
    audio_file_free(&file);
}

static struct audio_file read_file(const char *name)
{
    char path[256];
    static unsigned char bytes[1 << 22];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *in = fopen(path, "rb");
    assert_non_null(in);
    const size_t n = fread(bytes, 1, sizeof bytes, in);
    fclose(in);
    assert_true(n < sizeof bytes);
    return audio_file_copy(bytes, n);
}

static int set_up(void **state)
{
    if (mkdtemp(folder) == NULL)
        return -1;
    write_file("given.wav",
               audio_file_of_buzz(SF_FORMAT_WAV | SF_FORMAT_PCM_16, RATE_HZ, 1, SECONDS));
    return decoding_set_up(state);
}

static int tear_down(void **state)
{
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command) + decoding_tear_down(state);
}

static const struct {
    const char *name, *make; /* ffmpeg's output options */
    const char *container, *codec;
    double snr_db; /* at least */
    const char *decoder;
} rows[] = {
    {"m4a aac", "-c:a aac -b:a 64k -f ipod", "m4a", "aac", 100, ""},
    {"m4a 44.1 kHz, stereo", "-ar 44100 -ac 2 -c:a aac -b:a 96k -f ipod", "m4a", "aac", 100, ""},
    {"m4a alac", "-c:a alac -f ipod", "m4a", "alac", 120, ""},
    {"mp4 opus", "-c:a libopus -b:a 32k -f mp4", "mp4", "opus", 80, "-c:a libopus"},
    {"mp4 in fragments",
     "-c:a aac -movflags frag_keyframe+empty_moov+default_base_moof -frag_duration 500000 -f mp4",
     "mp4", "aac", 100, ""},
    {"mp4, header in front", "-c:a aac -movflags +faststart -f mp4", "mp4", "aac", 100, ""},
    {"quicktime pcm", "-c:a pcm_s16be -f mov", "quicktime", "pcm_16", 120, ""},
    {"3gp aac", "-c:a aac -b:a 48k -f 3gp", "3gp", "aac", 100, ""},
    {"webm opus", "-c:a libopus -b:a 32k -f webm", "webm", "opus", 80, "-c:a libopus"},
    {"webm opus, streamed", "-c:a libopus -b:a 32k -live 1 -f webm", "webm", "opus", 80,
     "-c:a libopus"},
    {"webm vorbis", "-c:a libvorbis -f webm", "webm", "vorbis", 100, ""},
    {"mka vorbis", "-c:a libvorbis -f matroska", "matroska", "vorbis", 100, ""},
    {"mka flac", "-c:a flac -f matroska", "matroska", "flac", 120, ""},
    {"mka mp3", "-c:a libmp3lame -f matroska", "matroska", "mp3", 100, ""},
    {"adts", "-c:a aac -b:a 64k -f adts", "aac", "aac", 100, ""},
    {"wma 1", "-c:a wmav1 -b:a 64k -f asf", "asf", "wma_v1", 100, ""},
    {"wma 2", "-c:a wmav2 -b:a 64k -f asf", "asf", "wma_v2", 100, ""},
    {"caf alac", "-c:a alac -f caf", "caf", "alac", 120, ""},
    {"wav mp3", "-c:a libmp3lame -f wav", "wav", "mp3", 100, ""},
    {"wav ima adpcm", "-c:a adpcm_ima_wav -f wav", "wav", "ima_adpcm", 120, ""},
    {"wav ms adpcm", "-c:a adpcm_ms -f wav", "wav", "ms_adpcm", 120, ""},
    {"wav gsm", "-ar 8000 -c:a libgsm_ms -f wav", "wav", "gsm", 100, ""},
    {"w64 ima adpcm", "-c:a adpcm_ima_wav -f w64", "w64", "ima_adpcm", 120, ""},
    {"ogg flac", "-c:a flac -f ogg", "ogg", "flac", 120, ""},
    {"ogg speex", "-c:a libspeex -f ogg", "ogg", "speex", 100, ""},
    {"video", "-f lavfi -i testsrc=s=64x64:d=4 -map 1:v -map 0:a -c:v mpeg4 -c:a aac -f mp4", "mp4",
     "aac", 100, ""},
};

/* What ffmpeg's own command makes of `made`, at 16 kHz: samples [MOST], returns how many. */
static size_t reference(const char *decoder, float *samples)
{
    char command[512];
    snprintf(command, sizeof command,
             "ffmpeg -v error -nostdin %s -i %s/made -ac 1 -ar 16000 "
             "-af aresample=resampler=soxr:precision=20 -f f32le -",
             decoder, folder);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    const size_t n = fread(samples, sizeof *samples, MOST, pipe);
    if (pclose(pipe) != 0)
        fail_msg("ffmpeg failed: is it installed?");
    return n;
}

/* In dB, after the best gain: how a mean of channels is scaled is a matter of taste. */
static double snr_db(const float *expected, const float *samples, size_t n)
{
    double cross = 0.0, own = 1e-300, error = 1e-300, power = 0.0;
    for (size_t i = 0; i < n; i++) {
        cross += (double)expected[i] * (double)samples[i];
        own += (double)samples[i] * (double)samples[i];
    }
    for (size_t i = 0; i < n; i++) {
        power += pow((double)expected[i], 2);
        error += pow((double)expected[i] - cross / own * (double)samples[i], 2);
    }
    return 10.0 * log10(power / error);
}

static void check(const char *name, const char *decoder, double least_snr_db)
{
    static float expected[MOST];
    struct audio_file file = read_file("made");
    const enum vp_status status = decoding_of(file.bytes, file.n);
    audio_file_free(&file);
    if (status != VP_OK)
        fail_msg("%s: %s", name, decoded.err.message);
    if (decoded.info.warnings & (VP_WARN_DAMAGED | VP_WARN_LENGTH_MISMATCH))
        fail_msg("%s: a whole file is called damaged", name);
    const size_t n = reference(decoder, expected);
    if (n != decoded.buffer.n_samples)
        fail_msg("%s: %zu samples, ffmpeg gives %zu", name, decoded.buffer.n_samples, n);
    const double snr = snr_db(expected, decoded.buffer.samples, n);
    if (snr < least_snr_db)
        fail_msg("%s: %.1f dB to what ffmpeg gives", name, snr);
}

static void each_format_gives_what_ffmpeg_gives(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        make(rows[i].make);
        check(rows[i].name, rows[i].decoder, rows[i].snr_db);
        assert_string_equal(decoded.info.container, rows[i].container);
        assert_string_equal(decoded.info.codec, rows[i].codec);
    }
}

/* Where text stands in file, which must hold it. */
static size_t find(const struct audio_file *file, const char *text)
{
    const size_t n = strlen(text);
    for (size_t at = 0; at + n <= file->n; at++)
        if (memcmp(file->bytes + at, text, n) == 0)
            return at;
    fail_msg("no %s", text);
    return 0;
}

/* `made` with bytes put at `offset` from where text stands must end with expected and say so. */
static void expect_with(const char *text, size_t offset, const char *bytes, size_t n,
                        enum vp_status expected, const char *says)
{
    struct audio_file file = read_file("made");
    memcpy(file.bytes + find(&file, text) + offset, bytes, n);
    decoding_expect(file, expected);
    if (strstr(decoded.err.message, says) == NULL)
        fail_msg("%s: %s", text, decoded.err.message);
}

static void headers_that_ask_for_much_are_refused(void **state)
{
    (void)state;
    make("-c:a aac -f ipod");
    /* packets of one byte each, 2^31 - 1 of them: by themselves, and walked by a thousand edits */
    struct audio_file file = read_file("made");
    memcpy(file.bytes + find(&file, "stsz") + 8, "\0\0\0\x01\x7F\xFF\xFF\xFF", 8);
    write_file("made", audio_file_copy(file.bytes, file.n));
    decoding_expect(file, VP_ERR_AUDIO_UNDECODABLE);
    expect_with("elst", 8, "\0\0\x03\xE8", 4, VP_ERR_AUDIO_UNDECODABLE, "than any recording needs");
    expect_with("stsz", 0, "cmov", 4, VP_ERR_AUDIO_UNSUPPORTED, "compressed header");
    make("-c:a libvorbis -f matroska");
    /* the first codebook: sync, dimensions, entries */
    expect_with("\x05vorbis", 13, "\xFF\xFF\xFF", 3, VP_ERR_AUDIO_UNDECODABLE, "vorbis track");
    make("-c:a pcm_s16be -f mov");
    expect_with("stsd", 12 + 24, "\xFF\xFF", 2, VP_ERR_AUDIO_CHANNELS, "65535 channels");
}

static void what_is_not_there_or_not_on_the_list_is_named(void **state)
{
    (void)state;
    make("-c:a ac3 -f mp4");
    decoding_expect(read_file("made"), VP_ERR_AUDIO_UNSUPPORTED);
    assert_string_equal(decoded.err.detected, "mp4 (ac3)");
    assert_non_null(strstr(decoded.err.message, "ffmpeg -i"));
    make("-f lavfi -i testsrc=s=64x64:d=1 -map 1:v -c:v mpeg4 -f matroska");
    decoding_expect(read_file("made"), VP_ERR_AUDIO_UNSUPPORTED);
    assert_string_equal(decoded.err.detected, "matroska (no audio track)");
}

/* Half of what the header in front promises; what is there is had for the asking. */
static void a_cut_file_is_told_from_a_whole_one(void **state)
{
    (void)state;
    static const char *const options[] = {"-c:a aac -movflags +faststart -f mp4",
                                          "-c:a libopus -f webm", "-c:a wmav2 -f asf",
                                          "-c:a adpcm_ima_wav -f wav"};
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        make(options[i]);
        struct audio_file file = read_file("made");
        if (decoding_of(file.bytes, file.n / 2) != VP_ERR_AUDIO_UNDECODABLE)
            fail_msg("%s", options[i]);
        decoded.options.accept_damage = true;
        assert_int_equal(decoding_of(file.bytes, file.n / 2), VP_OK);
        decoded.options.accept_damage = false;
        audio_file_free(&file);
    }
}

/* One stream behind the other, as radio and some recorders write them: all of it counts. */
static void chained_ogg_is_decoded_to_the_end(void **state)
{
    (void)state;
    static const char *const options[] = {"-c:a libvorbis -f ogg", "-c:a libopus -f ogg",
                                          "-c:a flac -f ogg"};
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        make(options[i]);
        run("ffmpeg -v error -nostdin -y -i made -c copy -serial_offset 7 -f ogg more; cat more >> "
            "made");
        decoding_expect(read_file("made"), VP_OK);
        if (fabs(decoded.info.duration_s - 2.0 * SECONDS) > 0.05)
            fail_msg("%s: %.3f s", options[i], decoded.info.duration_s);
    }
}

/* `made`, and behind it the same recording coded otherwise. */
static void chain(const char *first, const char *second)
{
    make(second);
    run("mv made more");
    make(first);
    run("cat more >> made");
}

/* Opus and Speex have one rate and any channels whatever was coded; of the others nothing behind
 * the change is read, and who asks for what there is gets the first part. */
static void chained_ogg_whose_links_differ(void **state)
{
    (void)state;
    static const struct {
        const char *first, *second;
        bool is_refused;
    } links[] = {
        {"-c:a libvorbis -f ogg", "-ar 22050 -c:a libvorbis -serial_offset 7 -f ogg", true},
        {"-c:a libvorbis -f ogg", "-ac 2 -c:a libvorbis -serial_offset 7 -f ogg", true},
        {"-c:a flac -f ogg", "-ar 8000 -c:a flac -serial_offset 7 -f ogg", true},
        {"-c:a flac -f ogg", "-ac 2 -c:a flac -serial_offset 7 -f ogg", true},
        {"-c:a libopus -f ogg", "-ac 2 -ar 24000 -c:a libopus -serial_offset 7 -f ogg", false},
        {"-c:a libspeex -f ogg", "-ar 8000 -c:a libspeex -serial_offset 7 -f ogg", false},
    };
    for (size_t i = 0; i < sizeof links / sizeof links[0]; i++) {
        chain(links[i].first, links[i].second);
        decoding_expect(read_file("made"), links[i].is_refused ? VP_ERR_AUDIO_UNDECODABLE : VP_OK);
        if (links[i].is_refused && strstr(decoded.err.message, "in the middle") == NULL)
            fail_msg("%s: %s", links[i].second, decoded.err.message);
        decoded.options.accept_damage = true;
        decoding_expect(read_file("made"), VP_OK);
        decoded.options.accept_damage = false;
        const double expected_s = links[i].is_refused ? SECONDS : 2.0 * SECONDS;
        if (fabs(decoded.info.duration_s - expected_s) > 0.05)
            fail_msg("%s: %.3f s", links[i].second, decoded.info.duration_s);
    }
}

/* `made` without n of its pages of Ogg from number `first` on. */
static struct audio_file without_pages(size_t first, size_t n)
{
    struct audio_file file = read_file("made");
    size_t starts[1024], n_pages = 0;
    for (size_t at = 0; at < file.n && n_pages < 1024; n_pages++) {
        starts[n_pages] = at;
        const size_t n_segments = file.bytes[at + 26];
        at += 27 + n_segments;
        for (size_t i = 0; i < n_segments; i++)
            at += file.bytes[starts[n_pages] + 27 + i];
    }
    assert_true(first + n < n_pages);
    const size_t from = starts[first], to = starts[first + n];
    memmove(file.bytes + from, file.bytes + to, file.n - to);
    file.n -= to - from;
    return file;
}

/* Pages of some 50 ms. One of them in 4 s is told; ten are half a second, and too much. */
static void missing_pages_of_ogg_are_told(void **state)
{
    (void)state;
    static const char *const options[] = {
        "-c:a libvorbis -page_duration 50000 -f ogg",
        "-c:a libopus -page_duration 50000 -f ogg",
        "-c:a flac -frame_size 800 -page_duration 50000 -f ogg",
        "-c:a libspeex -page_duration 50000 -f ogg",
    };
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        make(options[i]);
        decoding_expect(read_file("made"), VP_OK);
        const double whole_s = decoded.info.duration_s;
        assert_int_equal(decoded.info.warnings & VP_WARN_DAMAGED, 0);
        decoding_expect(without_pages(20, 1), VP_OK);
        assert_int_equal(decoded.info.warnings & VP_WARN_DAMAGED, VP_WARN_DAMAGED);
        decoding_expect(without_pages(20, 10), VP_ERR_AUDIO_UNDECODABLE);
        assert_non_null(strstr(decoded.err.message, "on_damage=accept"));
        decoded.options.accept_damage = true;
        decoding_expect(without_pages(20, 10), VP_OK);
        decoded.options.accept_damage = false;
        if (whole_s - decoded.info.duration_s < 0.3 || whole_s - decoded.info.duration_s > 0.9)
            fail_msg("%s: %.3f s of %.3f", options[i], decoded.info.duration_s, whole_s);
    }
    for (size_t i = 0; i < 2; i++) { /* a broadcast, joined: Vorbis and Opus */
        make(options[i]);
        decoding_expect(without_pages(2, 10), VP_OK);
        assert_int_equal(decoded.info.warnings & VP_WARN_DAMAGED, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_format_gives_what_ffmpeg_gives),
        cmocka_unit_test(headers_that_ask_for_much_are_refused),
        cmocka_unit_test(what_is_not_there_or_not_on_the_list_is_named),
        cmocka_unit_test(a_cut_file_is_told_from_a_whole_one),
        cmocka_unit_test(chained_ogg_is_decoded_to_the_end),
        cmocka_unit_test(chained_ogg_whose_links_differ),
        cmocka_unit_test(missing_pages_of_ogg_are_told),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
