/* FLAC with counts of another file, with parts missing, with frames spoilt, and two files in one.
 */
#include "damaging.h"

#include <sndfile.h>

#define FLAC (SF_FORMAT_FLAC | SF_FORMAT_PCM_16)

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_of_another_flac_file_are_told),
        cmocka_unit_test(a_flac_checksum_that_ends_in_zero_is_whole),
        cmocka_unit_test(joined_flac_streams_are_refused),
        cmocka_unit_test(a_cut_flac_frame_costs_that_frame),
        cmocka_unit_test(spoilt_flac_frames_are_counted),
    };
    return cmocka_run_group_tests(tests, decoding_set_up, decoding_tear_down);
}
