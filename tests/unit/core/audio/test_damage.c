/*
 * What other programs play: headers that are wrong about sizes, tags and padding around the audio,
 * counts of another file, a little that is missing. Each is answered with the same samples as the
 * good file, or refused with what is missing; never with misread samples.
 */
#include "unit.h"

#include <math.h>
#include <sndfile.h>

#include "decoding.h"

#define WAV  (SF_FORMAT_WAV | SF_FORMAT_PCM_16)
#define FLAC (SF_FORMAT_FLAC | SF_FORMAT_PCM_16)
#define MP3  (SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III)

#define MISMATCH VP_WARN_LENGTH_MISMATCH
#define DAMAGED  VP_WARN_DAMAGED

/* ---- tools ---------------------------------------------------------------------------------- */

static void put_little(unsigned char *at, uint64_t value, size_t n)
{
    for (size_t i = 0; i < n; i++)
        at[i] = (unsigned char)(value >> 8 * i);
}

static void put_big(unsigned char *at, uint64_t value, size_t n)
{
    for (size_t i = 0; i < n; i++)
        at[n - 1 - i] = (unsigned char)(value >> 8 * i);
}

/* before, then file, then after. Frees file. */
static struct audio_file wrap(const void *before, size_t n_before, struct audio_file file,
                              const void *after, size_t n_after)
{
    unsigned char *bytes = malloc(n_before + file.n + n_after);
    assert_non_null(bytes);
    memcpy(bytes, before, n_before);
    memcpy(bytes + n_before, file.bytes, file.n);
    memcpy(bytes + n_before + file.n, after, n_after);
    struct audio_file all = audio_file_copy(bytes, n_before + file.n + n_after);
    free(bytes);
    audio_file_free(&file);
    return all;
}

/* Removes n bytes at `at`. */
static void cut_out(struct audio_file *file, size_t at, size_t n)
{
    memmove(file->bytes + at, file->bytes + at + n, file->n - at - n);
    file->n -= n;
}

static size_t find(const struct audio_file *file, const char *id)
{
    for (size_t i = 0; i + 4 <= file->n; i++)
        if (memcmp(file->bytes + i, id, 4) == 0)
            return i;
    fail_msg("no %s", id);
    return 0;
}

static float good_samples[10 * 16000];
static size_t n_good;

/* Decodes the file as it should be, for expect_same. Does not free it. */
static void remember(struct audio_file file)
{
    if (decoding_of(file.bytes, file.n) != VP_OK)
        fail_msg("the good file: %s", decoded.err.message);
    assert_int_equal(decoded.info.warnings & (MISMATCH | DAMAGED), 0);
    n_good = decoded.buffer.n_samples;
    assert_true(n_good <= sizeof good_samples / sizeof good_samples[0]);
    memcpy(good_samples, decoded.buffer.samples, n_good * sizeof good_samples[0]);
}

/* The samples that were remembered, to the bit, and these warnings about lengths and damage. Frees
 * file. */
static void expect_same(const char *what, struct audio_file file, unsigned warnings)
{
    if (decoding_of(file.bytes, file.n) != VP_OK)
        fail_msg("%s: %s", what, decoded.err.message);
    if (decoded.buffer.n_samples != n_good ||
        memcmp(decoded.buffer.samples, good_samples, n_good * sizeof good_samples[0]) != 0)
        fail_msg("%s: other samples, %zu of them, not %zu", what, decoded.buffer.n_samples, n_good);
    if ((decoded.info.warnings & (MISMATCH | DAMAGED)) != warnings)
        fail_msg("%s: warnings %x", what, decoded.info.warnings);
    audio_file_free(&file);
}

/* Answered with n_samples or some ten less, and these warnings. Frees file. */
static void expect_samples(const char *what, struct audio_file file, size_t n_samples,
                           unsigned warnings)
{
    if (decoding_of(file.bytes, file.n) != VP_OK)
        fail_msg("%s: %s", what, decoded.err.message);
    const size_t n = decoded.buffer.n_samples;
    if (n > n_samples || n + 10 < n_samples)
        fail_msg("%s: %zu samples, not %zu", what, n, n_samples);
    if ((decoded.info.warnings & (MISMATCH | DAMAGED)) != warnings)
        fail_msg("%s: warnings %x", what, decoded.info.warnings);
    audio_file_free(&file);
}

/* Refused, unless damage is accepted: then answered with these warnings. Frees file. */
static void expect_refused(const char *what, struct audio_file file, unsigned warnings)
{
    if (decoding_of(file.bytes, file.n) != VP_ERR_AUDIO_UNDECODABLE)
        fail_msg("%s: %s %s", what, vp_status_name(decoded.err.status), decoded.err.message);
    if (strstr(decoded.err.message, "on_damage=accept") == NULL)
        fail_msg("%s: no remedy is named: %s", what, decoded.err.message);
    decoded.options.accept_damage = true;
    const enum vp_status status = decoding_of(file.bytes, file.n);
    decoded.options.accept_damage = false;
    if (status != VP_OK)
        fail_msg("%s, damage accepted: %s", what, decoded.err.message);
    if ((decoded.info.warnings & (MISMATCH | DAMAGED)) != warnings)
        fail_msg("%s: warnings %x", what, decoded.info.warnings);
    audio_file_free(&file);
}

/* ---- WAV: sizes of a frame ------------------------------------------------------------------ */

/* fmt of a plain WAV: byte rate at 28, bytes a frame at 32, bits at 34 */
static void a_wrong_block_align_is_not_believed(void **state)
{
    (void)state;
    static const int formats[] = {
        SF_FORMAT_WAV | SF_FORMAT_PCM_U8, SF_FORMAT_WAV | SF_FORMAT_PCM_16,
        SF_FORMAT_WAV | SF_FORMAT_PCM_24, SF_FORMAT_WAV | SF_FORMAT_PCM_32,
        SF_FORMAT_WAV | SF_FORMAT_ULAW,   SF_FORMAT_WAV | SF_FORMAT_FLOAT,
        SF_FORMAT_WAV | SF_FORMAT_DOUBLE};
    static const unsigned aligns[] = {0, 1, 2, 3, 4, 6, 8, 12, 16, 255, 65535};
    for (size_t f = 0; f < sizeof formats / sizeof formats[0]; f++) {
        for (int channels = 1; channels <= 2; channels++) {
            struct audio_file good = audio_file_of_buzz(formats[f], 16000, channels, 1.0);
            const size_t fmt = find(&good, "fmt ");
            remember(good);
            for (size_t a = 0; a < sizeof aligns / sizeof aligns[0]; a++) {
                struct audio_file file = audio_file_copy(good.bytes, good.n);
                char what[80];
                snprintf(what, sizeof what, "format %x, %d channels, align %u",
                         (unsigned)formats[f], channels, aligns[a]);
                put_little(file.bytes + fmt + 20, aligns[a], 2);
                put_little(file.bytes + fmt + 16, 16000 * aligns[a], 4);
                expect_same(what, file, 0);
            }
            audio_file_free(&good);
        }
    }
}

/* 24 bits in the upper three of four bytes, as the format allows: here the frame is right. */
static void samples_may_lie_in_wider_ones(void **state)
{
    (void)state;
    struct audio_file file = audio_file_of_buzz(SF_FORMAT_WAV | SF_FORMAT_PCM_32, 16000, 1, 1.0);
    const size_t data = find(&file, "data") + 8;
    for (size_t at = data; at + 4 <= file.n; at += 4)
        file.bytes[at] = 0;
    remember(file);
    put_little(file.bytes + find(&file, "fmt ") + 22, 24, 2);
    expect_same("24 bits in 4 bytes", file, 0);
}

/* ---- lengths -------------------------------------------------------------------------------- */

static void lengths_from_pipes_are_no_promise(void **state)
{
    (void)state;
    static const struct {
        int format;
        const char *chunk;
        size_t offset, n_bytes; /* of the length, from the chunk's id on */
        bool big;
        size_t n_lengths;
        uint64_t lengths[5];
    } cases[] = {
        {WAV, "data", 4, 4, false, 5, {0xFFFFFFFF, 0x7FFFF000, 0x7F000000, 0x80000000, 0}},
        {SF_FORMAT_AIFF | SF_FORMAT_PCM_16, "SSND", 4, 4, true, 3, {0xFFFFFFFF, 0x7F000008, 0}},
        {SF_FORMAT_AU | SF_FORMAT_PCM_16, ".snd", 8, 4, true, 2, {0xFFFFFFFF, 0x7FFFFFFF}},
        {SF_FORMAT_W64 | SF_FORMAT_PCM_16, "data", 16, 8, false, 2, {INT64_MAX, UINT64_MAX}},
        {SF_FORMAT_CAF | SF_FORMAT_PCM_16, "data", 4, 8, true, 1, {UINT64_MAX}},
    };
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        struct audio_file good = audio_file_of_buzz(cases[c].format, 16000, 1, 1.0);
        remember(good);
        for (size_t l = 0; l < cases[c].n_lengths; l++) {
            struct audio_file file = audio_file_copy(good.bytes, good.n);
            unsigned char *at = file.bytes + find(&file, cases[c].chunk) + cases[c].offset;
            (cases[c].big ? put_big : put_little)(at, cases[c].lengths[l], cases[c].n_bytes);
            char what[80];
            snprintf(what, sizeof what, "case %zu, length %llx", c,
                     (unsigned long long)cases[c].lengths[l]);
            expect_same(what, file, 0);
        }
        audio_file_free(&good);
    }
}

/* 4 s of plain samples: 0.08 s are 2 %. */
static void a_little_less_than_promised_is_told(void **state)
{
    (void)state;
    static const int formats[] = {WAV,
                                  SF_FORMAT_RF64 | SF_FORMAT_PCM_16,
                                  SF_FORMAT_W64 | SF_FORMAT_PCM_16,
                                  SF_FORMAT_AIFF | SF_FORMAT_PCM_16,
                                  SF_FORMAT_AU | SF_FORMAT_PCM_16,
                                  SF_FORMAT_CAF | SF_FORMAT_PCM_16};
    for (size_t f = 0; f < sizeof formats / sizeof formats[0]; f++) {
        static const size_t missing[] = {1, 36, 2000, 2558, 2600, 40000};
        struct audio_file good = audio_file_of_buzz(formats[f], 16000, 1, 4.0);
        for (size_t m = 0; m < sizeof missing / sizeof missing[0]; m++) {
            struct audio_file file = audio_file_copy(good.bytes, good.n - missing[m]);
            char what[80];
            snprintf(what, sizeof what, "format %x less %zu bytes", (unsigned)formats[f],
                     missing[m]);
            if (missing[m] > 2560)
                expect_refused(what, file, MISMATCH);
            else
                expect_samples(what, file, 64000 - missing[m] / 2, MISMATCH);
        }
        audio_file_free(&good);
    }
}

/* Of a recording of 30 s the 2 % are 0.6 s: half a second is the limit there. */
static void half_a_second_is_the_limit_of_long_ones(void **state)
{
    (void)state;
    const struct audio_buffer before = decoded.buffer;
    decoded.limits.max_duration_s = 40.0;
    assert_true(audio_capacity(40.0, &decoded.buffer.capacity));
    decoded.buffer.samples = calloc(decoded.buffer.capacity, sizeof *decoded.buffer.samples);
    assert_non_null(decoded.buffer.samples);
    struct audio_file good = audio_file_of_buzz(WAV, 16000, 1, 30.0);
    expect_samples("30 s less 0.49", audio_file_copy(good.bytes, good.n - 15680), 480000 - 7840,
                   MISMATCH);
    expect_refused("30 s less 0.51", audio_file_copy(good.bytes, good.n - 16320), MISMATCH);
    audio_file_free(&good);
    free(decoded.buffer.samples);
    decoded.buffer = before;
    decoded.limits.max_duration_s = 10.0;
}

static void more_than_promised_is_told(void **state)
{
    (void)state;
    static unsigned char noise[4000];
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (unsigned char)(i * 89 % 251 + 1);
    struct audio_file good = audio_file_of_buzz(WAV, 16000, 1, 1.0);
    remember(good);
    expect_same("4000 bytes behind",
                wrap("", 0, audio_file_copy(good.bytes, good.n), noise, sizeof noise), MISMATCH);
    expect_same("a line end behind", wrap("", 0, audio_file_copy(good.bytes, good.n), "\n", 1), 0);
    static const unsigned char zeros[4096];
    expect_same("zeros behind",
                wrap("", 0, audio_file_copy(good.bytes, good.n), zeros, sizeof zeros), 0);
    static const unsigned char list[] = "LIST\x04\0\0\0INFOid3 \x04\0\0\0ID3";
    expect_same("chunks behind",
                wrap("", 0, audio_file_copy(good.bytes, good.n), list, sizeof list), 0);
    audio_file_free(&good);
}

/* ---- tags and padding ----------------------------------------------------------------------- */

#define ID3  "ID3\3\0\0\0\0\0\x0FTIT2\0\0\0\5\0\0\0test"
#define ID3B "ID3\4\0\x10\0\0\0\4abcd3DI\4\0\x10\0\0\0\4" /* with a footer */
#define APE                                                                                        \
    "APETAGEX\xD0\7\0\0\x2C\0\0\0\1\0\0\0\0\0\0\xA0\0\0\0\0\0\0\0\0"                               \
    "\2\0\0\0\0\0\0\0a\0b\0APETAGEX\xD0\7\0\0\x2C\0\0\0\1\0\0\0\0\0\0\x80\0\0\0\0\0\0\0\0"
#define TEXT(literal) literal, sizeof literal - 1

static void tags_and_padding_are_skipped(void **state)
{
    (void)state;
    static const unsigned char zeros[4096];
    static unsigned char id3v1[128] = "TAGname", many[3 * sizeof ID3];
    memcpy(many, ID3 ID3B, sizeof ID3 + sizeof ID3B - 1);
    static const struct {
        const char *what;
        const void *bytes;
        size_t n;
    } before[] = {{"ID3", TEXT(ID3)},
                  {"two ID3", TEXT(ID3 ID3)},
                  {"ID3 with a footer", TEXT(ID3B)},
                  {"zeros", zeros, sizeof zeros},
                  {"APE", TEXT(APE)}},
      after[] = {{"ID3v1", id3v1, sizeof id3v1},
                 {"a line end", TEXT("\n")},
                 {"APE", TEXT(APE)},
                 {"zeros", zeros, sizeof zeros},
                 {"APE and blanks", TEXT(APE "\r\n")}};
    static const int formats[] = {
        WAV,  SF_FORMAT_AIFF | SF_FORMAT_PCM_16, SF_FORMAT_CAF | SF_FORMAT_PCM_16,
        FLAC, SF_FORMAT_OGG | SF_FORMAT_VORBIS,  MP3};
    for (size_t f = 0; f < sizeof formats / sizeof formats[0]; f++) {
        struct audio_file good = audio_file_of_buzz(formats[f], 16000, 1, 1.0);
        remember(good);
        for (size_t b = 0; b < sizeof before / sizeof before[0]; b++) {
            char what[80];
            snprintf(what, sizeof what, "%s before format %x", before[b].what,
                     (unsigned)formats[f]);
            expect_same(
                what,
                wrap(before[b].bytes, before[b].n, audio_file_copy(good.bytes, good.n), "", 0), 0);
        }
        for (size_t a = 0; a < sizeof after / sizeof after[0]; a++) {
            char what[80];
            snprintf(what, sizeof what, "%s behind format %x", after[a].what, (unsigned)formats[f]);
            expect_same(
                what, wrap("", 0, audio_file_copy(good.bytes, good.n), after[a].bytes, after[a].n),
                0);
        }
        audio_file_free(&good);
    }
}

/* A chunk of odd length without the zero that should follow it. */
static void a_forgotten_padding_byte_is_forgiven(void **state)
{
    (void)state;
    static const struct {
        int format;
        const char *before;
        const unsigned char chunk[12];
    } cases[] = {{WAV, "data", "JUNK\3\0\0\0abc"},
                 {SF_FORMAT_AIFF | SF_FORMAT_PCM_16, "SSND", "ANNO\0\0\0\3abc"}};
    for (size_t c = 0; c < 2; c++) {
        struct audio_file good = audio_file_of_buzz(cases[c].format, 16000, 1, 1.0);
        remember(good);
        const size_t at = find(&good, cases[c].before);
        struct audio_file tail = audio_file_copy(good.bytes + at, good.n - at);
        struct audio_file with = wrap(cases[c].chunk, 11, tail, "", 0);
        expect_same("a chunk of 3 bytes", wrap(good.bytes, at, with, "", 0), 0);
        audio_file_free(&good);
    }
}

static void bw64_is_rf64_by_another_name(void **state)
{
    (void)state;
    struct audio_file file = audio_file_of_buzz(SF_FORMAT_RF64 | SF_FORMAT_PCM_16, 16000, 1, 1.0);
    remember(file);
    memcpy(file.bytes, "BW64", 4);
    expect_same("BW64", file, 0);
    assert_string_equal(decoded.info.container, "bw64");
}

/* ---- FLAC ----------------------------------------------------------------------------------- */

enum { COUNT_AT = 22 }; /* the lower 32 bits of STREAMINFO's count */

static void counts_of_another_flac_file_are_told(void **state)
{
    (void)state;
    struct audio_file good = audio_file_of_buzz(FLAC, 16000, 1, 3.0);
    remember(good);
    static const uint64_t counts[] = {0, 1, 8000, 47999, 48001, 70000, 0xFFFFFFFF};
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
        struct audio_file file = audio_file_copy(good.bytes, good.n);
        put_big(file.bytes + COUNT_AT, counts[c], 4);
        expect_same("another count", file, counts[c] != 0 ? MISMATCH : 0);
    }
    audio_file_free(&good);
}

/* One clip in 256 ends so: the checksum's second byte is 0, like padding, and is no padding. */
static void a_flac_checksum_that_ends_in_zero_is_whole(void **state)
{
    (void)state;
    int n_found = 0;
    for (int i = 0; i < 4000 && n_found < 3; i++) {
        struct audio_file good = audio_file_of_buzz(FLAC, 16000, 1, 1.0 + i / 16000.0);
        if (good.bytes[good.n - 1] == 0) {
            n_found++;
            decoding_expect(audio_file_copy(good.bytes, good.n), VP_OK);
            assert_int_equal(decoded.info.warnings & (MISMATCH | DAMAGED), 0);
            assert_int_equal(decoded.info.n_samples, 16000 + i);
            struct audio_file padded = {calloc(1, good.n + 100), good.n + 100};
            memcpy(padded.bytes, good.bytes, good.n);
            decoding_expect(padded, VP_OK);
            assert_int_equal(decoded.info.warnings & (MISMATCH | DAMAGED), 0);
            assert_int_equal(decoded.info.n_samples, 16000 + i);
        }
        audio_file_free(&good);
    }
    assert_int_equal(n_found, 3);
}

/* The decoder would stop at the end of the first: an answer of half of the recording. */
static void joined_flac_streams_are_refused(void **state)
{
    (void)state;
    struct audio_file good = audio_file_of_buzz(FLAC, 16000, 1, 1.0);
    struct audio_file both = {malloc(2 * good.n), 2 * good.n};
    memcpy(both.bytes, good.bytes, good.n);
    memcpy(both.bytes + good.n, good.bytes, good.n);
    decoding_expect(both, VP_ERR_AUDIO_UNDECODABLE);
    audio_file_free(&good);
}

/* libsndfile writes frames of 4096 samples: 0.256 s. */
static void a_cut_flac_frame_costs_that_frame(void **state)
{
    (void)state;
    const double seconds = 9.0; /* 35 frames: of the last one 640 samples */
    struct audio_file good = audio_file_of_buzz(FLAC, 16000, 1, seconds);
    expect_samples("the last byte is missing", audio_file_copy(good.bytes, good.n - 1),
                   35 * 4096 < 144000 ? 35 * 4096 : 144000, DAMAGED);
    expect_refused("half of it is missing", audio_file_copy(good.bytes, good.n / 2), DAMAGED);
    put_big(good.bytes + COUNT_AT, 0, 4);
    expect_refused("cut, and nothing was promised", audio_file_copy(good.bytes, good.n / 2),
                   DAMAGED);
    audio_file_free(&good);
}

/* A frame whose checksum fails is left out by the decoder, or comes out silent: lost in either
 * case. */
static void spoilt_flac_frames_are_counted(void **state)
{
    (void)state;
    struct audio_file good = audio_file_of_buzz(FLAC, 16000, 1, 9.0);
    for (size_t part = 1; part < 40; part++) {
        struct audio_file file = audio_file_copy(good.bytes, good.n);
        file.bytes[good.n * part / 40] ^= 0x10;
        decoding_expect(file, VP_ERR_AUDIO_UNDECODABLE);
    }
    audio_file_free(&good);
}

/* ---- MP3 ------------------------------------------------------------------------------------ */

/* Length of the frame at `at`: 16 kHz, version 2. */
static size_t frame_bytes(const struct audio_file *file, size_t at)
{
    static const unsigned kbps[15] = {0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160};
    assert_true(at + 4 <= file->n && file->bytes[at] == 0xFF);
    return 72 * 1000 * kbps[file->bytes[at + 2] >> 4] / 16000 + (file->bytes[at + 2] >> 1 & 1);
}

static size_t frame_at(const struct audio_file *file, size_t i)
{
    size_t at = 0;
    while (i-- > 0)
        at += frame_bytes(file, at);
    return at;
}

/* Without the Xing frame, as recorders of streams leave it. */
static struct audio_file plain_mp3(double seconds)
{
    struct audio_file file = audio_file_of_buzz(MP3, 16000, 1, seconds);
    cut_out(&file, 0, frame_bytes(&file, 0));
    return file;
}

static void mp3_streams_may_begin_and_end_anywhere(void **state)
{
    (void)state;
    static const unsigned char zeros[5000];
    struct audio_file good = plain_mp3(6.0);
    remember(good);
    expect_samples(
        "a tag between two frames",
        wrap(good.bytes, frame_at(&good, 20),
             wrap(TEXT(ID3),
                  audio_file_copy(good.bytes + frame_at(&good, 20), good.n - frame_at(&good, 20)),
                  "", 0),
             "", 0),
        n_good, 0); /* not to the bit: the frame behind it borrows from the one before */
    struct audio_file late = audio_file_copy(good.bytes + 50, good.n - 50);
    expect_samples("begun in mid-frame", late, n_good - 576, 0);
    expect_same("zeros behind",
                wrap("", 0, audio_file_copy(good.bytes, good.n), zeros, sizeof zeros), 0);
    struct audio_file cut = audio_file_copy(good.bytes, good.n - 20);
    expect_samples("the last frame is short", cut, n_good - 576, DAMAGED);
    audio_file_free(&good);
}

static void mp3_frames_that_are_missing_are_counted(void **state)
{
    (void)state;
    struct audio_file good = audio_file_of_buzz(MP3, 16000, 1, 6.0); /* 167 frames of 0.036 s */
    const size_t at = frame_at(&good, 80), n = frame_bytes(&good, at);
    struct audio_file file = audio_file_copy(good.bytes, good.n);
    memset(file.bytes + at, 0x55, n); /* a frame overwritten */
    assert_int_equal(decoding_of(file.bytes, file.n), VP_OK);
    assert_int_equal(decoded.info.warnings & (MISMATCH | DAMAGED), DAMAGED | MISMATCH);
    memset(file.bytes + at, 0x55, 5 * n);
    expect_refused("five frames overwritten", file, DAMAGED | MISMATCH);
    expect_refused("half of it is missing", audio_file_copy(good.bytes, frame_at(&good, 80)),
                   MISMATCH);
    audio_file_free(&good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wrong_block_align_is_not_believed),
        cmocka_unit_test(samples_may_lie_in_wider_ones),
        cmocka_unit_test(lengths_from_pipes_are_no_promise),
        cmocka_unit_test(a_little_less_than_promised_is_told),
        cmocka_unit_test(half_a_second_is_the_limit_of_long_ones),
        cmocka_unit_test(more_than_promised_is_told),
        cmocka_unit_test(tags_and_padding_are_skipped),
        cmocka_unit_test(a_forgotten_padding_byte_is_forgiven),
        cmocka_unit_test(bw64_is_rf64_by_another_name),
        cmocka_unit_test(counts_of_another_flac_file_are_told),
        cmocka_unit_test(a_flac_checksum_that_ends_in_zero_is_whole),
        cmocka_unit_test(joined_flac_streams_are_refused),
        cmocka_unit_test(a_cut_flac_frame_costs_that_frame),
        cmocka_unit_test(spoilt_flac_frames_are_counted),
        cmocka_unit_test(mp3_streams_may_begin_and_end_anywhere),
        cmocka_unit_test(mp3_frames_that_are_missing_are_counted),
    };
    return cmocka_run_group_tests(tests, decoding_set_up, decoding_tear_down);
}
