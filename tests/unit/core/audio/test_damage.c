/*
 * What other programs play: headers that are wrong about sizes, tags and padding around the audio,
 * counts of another file, a little that is missing. Each is answered with the same samples as the
 * good file, or refused with what is missing; never with misread samples. What is FLAC's or MP3's
 * alone has a file of its own.
 */
#include "damaging.h"

#include <sndfile.h>

#define WAV  (SF_FORMAT_WAV | SF_FORMAT_PCM_16)
#define FLAC (SF_FORMAT_FLAC | SF_FORMAT_PCM_16)
#define MP3  (SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III)

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
            const size_t fmt = find_id(&good, "fmt ");
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
    const size_t data = find_id(&file, "data") + 8;
    for (size_t at = data; at + 4 <= file.n; at += 4)
        file.bytes[at] = 0;
    remember(file);
    put_little(file.bytes + find_id(&file, "fmt ") + 22, 24, 2);
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
            unsigned char *at = file.bytes + find_id(&file, cases[c].chunk) + cases[c].offset;
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
        const size_t at = find_id(&good, cases[c].before);
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
    };
    return cmocka_run_group_tests(tests, decoding_set_up, decoding_tear_down);
}
