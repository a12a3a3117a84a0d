/* Windows in segments of every length; and the same ones whether the end is known or not. */
#include "unit.h"

#include "diarize/windows/windows.h"

#define MOST 64

/* All windows of one segment that begins at frame 17, heard in pieces; returns how many. */
static size_t place(size_t n_frames, size_t piece, struct window *out)
{
    unsigned char speech[1024] = {0};
    struct segments segments = {0};
    struct windows windows = {0};
    size_t n = 0;
    memset(speech + 17, 1, n_frames);
    const size_t end = 17 + n_frames + 3;
    for (size_t at = 0; at < end; at += piece) {
        const size_t n_here = end - at < piece ? end - at : piece;
        assert_int_equal(segments_push(&segments, speech + at, n_here, NULL), VP_OK);
        while (windows_next(&windows, &segments, &out[n])) {
            assert_true(out[n].end <= segments.n_frames);
            n++;
        }
    }
    assert_int_equal(segments_finish(&segments, 0.0, NULL), VP_OK);
    assert_int_equal(segments.n, 1);
    assert_int_equal(segments.list[0].first, 17);
    assert_int_equal(segments.list[0].end, 17 + n_frames);
    while (windows_next(&windows, &segments, &out[n]))
        n++;
    segments_clear(&segments);
    return n;
}

static void every_frame_is_in_a_window(void **state)
{
    (void)state;
    for (size_t n_frames = 1; n_frames < 700; n_frames++) {
        struct window windows[MOST];
        const size_t n = place(n_frames, 50, windows);
        assert_int_equal(windows[0].first, 17);
        assert_true(windows[n - 1].end + 10 > 17 + n_frames);
        for (size_t i = 0; i < n; i++) {
            assert_true(windows[i].end > windows[i].first && windows[i].end <= 17 + n_frames);
            assert_true(windows[i].end - windows[i].first ==
                        (n_frames < WINDOW_FRAMES ? n_frames : WINDOW_FRAMES));
            if (i > 0) {
                assert_true(windows[i].first > windows[i - 1].first);
                assert_true(windows[i].first - windows[i - 1].first <=
                            (n_frames < WINDOW_LONG ? WINDOW_STEP_SHORT : WINDOW_STEP));
            }
        }
    }
}

static void pieces_change_nothing(void **state)
{
    (void)state;
    for (size_t n_frames = 1; n_frames < 700; n_frames += 7) {
        struct window whole[MOST], pieces[MOST];
        const size_t n = place(n_frames, 1024, whole);
        for (size_t piece = 1; piece < 200; piece += 33) {
            assert_int_equal(place(n_frames, piece, pieces), n);
            assert_memory_equal(whole, pieces, n * sizeof *whole);
        }
    }
}

static void an_end_in_speech_is_closed_at_the_recordings_end(void **state)
{
    (void)state;
    const unsigned char speech[30] = {[10] = 1, [11] = 1, [25] = 1, 1, 1, 1, 1};
    struct segments segments = {0};
    assert_int_equal(segments_push(&segments, speech, 30, NULL), VP_OK);
    assert_int_equal(segments_finish(&segments, 0.315, NULL), VP_OK);
    assert_int_equal(segments.n, 2);
    assert_true(segments.list[0].start_s == 0.10 && segments.list[0].end_s == 0.12);
    assert_true(segments.list[1].start_s == 0.25 && segments.list[1].end_s == 0.315);
    segments_clear(&segments);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_frame_is_in_a_window),
        cmocka_unit_test(pieces_change_nothing),
        cmocka_unit_test(an_end_in_speech_is_closed_at_the_recordings_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
