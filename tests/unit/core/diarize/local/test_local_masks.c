/* Windows of ten seconds, one apart, and the frames that they share: against sums over all of them.
 */
#include "unit.h"

#include <math.h>

#include "diarize/local/local_masks.h"
#include "naive_net.h"

enum { N_WINDOWS = 23 };

/* Masks by chance, the same ones each time. */
static struct local_masks random_masks(size_t n)
{
    struct local_masks masks = {0};
    uint64_t seed = 3;
    for (size_t w = 0; w < n; w++) {
        unsigned char window[SEG_WINDOW_FRAMES];
        for (size_t k = 0; k < SEG_WINDOW_FRAMES; k++)
            window[k] = (unsigned char)(4.0 + 4.0 * naive_random(&seed)) & 7u;
        assert_int_equal(local_masks_add(&masks, window, 1, NULL), VP_OK);
    }
    return masks;
}

static void windows_cover_the_recording_and_no_more(void **state)
{
    (void)state;
    static const size_t cases[][2] = {{1, 1},      {4800, 1},    {160000, 1}, {160001, 1},
                                      {160990, 1}, {160991, 2},  {176000, 2}, {176001, 2},
                                      {176991, 3}, {480000, 21}, {480001, 21}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(local_masks_n_windows(cases[i][0]), cases[i][1]);
}

static void a_window_begins_at_the_nearest_frame(void **state)
{
    (void)state;
    for (size_t w = 0; w < 5000; w++) {
        const double at = (double)(w * LOCAL_HOP) / SEG_FRAME_STEP;
        assert_true(fabs((double)local_masks_first_frame(w) - at) <= 0.5);
    }
}

static void a_frame_stands_for_the_samples_nearest_to_its_middle(void **state)
{
    (void)state;
    assert_int_equal(local_masks_frame_start(0), 0);
    for (size_t sample = 0; sample < 20000; sample++) {
        const size_t t = local_masks_frame_at(sample);
        assert_true(local_masks_frame_start(t) <= sample);
        assert_true(local_masks_frame_start(t + 1) > sample);
        const double middle = (double)(SEG_FRAME_CENTRE + t * SEG_FRAME_STEP);
        assert_true(t == 0 || fabs((double)sample - middle) <= SEG_FRAME_STEP / 2.0);
    }
}

/* Every frame of recordings of every length, by adding up all windows. */
static void frames_are_covered_and_counted_as_sums_say(void **state)
{
    (void)state;
    for (size_t n = 1; n <= N_WINDOWS; n++) {
        struct local_masks masks = random_masks(n);
        const size_t n_frames = local_masks_n_frames(&masks);
        assert_int_equal(n_frames, local_masks_first_frame(n - 1) + SEG_WINDOW_FRAMES);
        for (size_t t = 0; t < n_frames; t++) {
            size_t n_cover = 0, n_hear = 0, n_heard = 0, first, end;
            local_masks_covering(&masks, t, &first, &end);
            for (size_t w = 0; w < n; w++) {
                const size_t at = local_masks_first_frame(w);
                const bool covers = at <= t && t < at + SEG_WINDOW_FRAMES;
                assert_int_equal(covers, first <= w && w < end);
                if (!covers)
                    continue;
                const unsigned mask = masks.masks[w * SEG_WINDOW_FRAMES + t - at];
                assert_int_equal(local_masks_in(&masks, w, t), mask);
                n_cover++;
                n_hear += mask != 0;
                n_heard += (mask & 1u) + (mask >> 1 & 1u) + (mask >> 2 & 1u);
            }
            assert_true(n_cover > 0);
            const double mean = (double)n_heard / (double)n_cover;
            assert_int_equal(local_masks_count(&masks, t), (size_t)floor(mean + 0.5));
            assert_int_equal(local_masks_speech(&masks, t),
                             (double)n_hear / (double)n_cover >= 0.5);
        }
        local_masks_clear(&masks);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_cover_the_recording_and_no_more),
        cmocka_unit_test(a_window_begins_at_the_nearest_frame),
        cmocka_unit_test(a_frame_stands_for_the_samples_nearest_to_its_middle),
        cmocka_unit_test(frames_are_covered_and_counted_as_sums_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
