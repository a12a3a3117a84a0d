/* MP3 that begins or ends anywhere, and with something between or missing from its frames. */
#include "damaging.h"

#include <sndfile.h>

#define MP3           (SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III)
#define ID3           "ID3\3\0\0\0\0\0\x0FTIT2\0\0\0\5\0\0\0test"
#define TEXT(literal) literal, sizeof literal - 1

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
        cmocka_unit_test(mp3_streams_may_begin_and_end_anywhere),
        cmocka_unit_test(mp3_frames_that_are_missing_are_counted),
    };
    return cmocka_run_group_tests(tests, decoding_set_up, decoding_tear_down);
}
