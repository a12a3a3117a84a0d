/*
 * The bytes of the second pass: the same ones give the same bits, in whatever channels they come,
 * and ones that are not those of the first pass do no harm.
 */
#include "unit.h"

#include <sndfile.h>

#include "tracked.h"

static void the_same_bytes_give_the_same_bits(void **state)
{
    (void)state;
    enum { N_FRAMES = 577 };
    static float twice[2 * (N_FRAMES * 160 + 400)];
    const size_t n = tracked_samples_of(N_FRAMES), n_values = (N_FRAMES + 7) / 8 * 4 * 2;
    audio_file_talk(tracked.samples, n);
    tracked_speech(0, N_FRAMES);
    float *found = tracked_well(tracked_wav(n), N_FRAMES, 2);
    float *again = tracked_well(tracked_wav(n), N_FRAMES, 2);
    assert_memory_equal(found, again, n_values * sizeof *found);
    free(again);
    for (size_t i = 0; i < 2 * n; i++)
        twice[i] = tracked.samples[i / 2];
    again = tracked_well(audio_file_write(SF_FORMAT_WAV | SF_FORMAT_FLOAT, 16000, 2, twice, n),
                         N_FRAMES, 2);
    assert_memory_equal(found, again, n_values * sizeof *found); /* probed, then heard */
    free(again);
    free(found);
}

static void what_came_behind_is_left_out(void **state)
{
    (void)state;
    enum { BEFORE = 300, NOW = 555, N_VALUES = (BEFORE + 7) / 8 * 4 * 2 };
    tracked_speech(0, BEFORE);
    audio_file_talk(tracked.samples, tracked_samples_of(NOW));
    float *found = tracked_well(tracked_wav(tracked_samples_of(BEFORE)), BEFORE, 2);
    float *grown = tracked_well(tracked_wav(tracked_samples_of(NOW)), BEFORE, 2);
    assert_memory_equal(grown, found, N_VALUES * sizeof *found);
    free(grown);
    free(found);
}

static void bytes_that_changed_meanwhile_do_no_harm(void **state)
{
    (void)state;
    static const size_t now[] = {1, 9, 511, 1098};
    static const size_t before[] = {100, 600};
    tracked_speech(20, 300);
    tracked_speech(400, 1098);
    for (size_t i = 0; i < sizeof now / sizeof now[0]; i++)
        for (size_t k = 0; k < sizeof before / sizeof before[0]; k++) {
            audio_file_talk(tracked.samples, tracked_samples_of(now[i]));
            float *found = tracked_well(tracked_wav(tracked_samples_of(now[i])), before[k], 2);
            for (size_t j = 0; j < (before[k] + 7) / 8 * 4 * 2; j++)
                assert_true(found[j] >= 0.0F && found[j] <= 1.0F);
            free(found);
        }
}

static void bad_bytes_are_refused_as_in_the_first_hearing(void **state)
{
    (void)state;
    float *found;
    size_t n_parts;
    audio_file_talk(tracked.samples, tracked_samples_of(518));
    tracked_speech(0, 518);
    struct audio_file file = tracked_wav(tracked_samples_of(518));
    assert_int_equal(tracked_run(&file, 518, 2, 3.0, &found, &n_parts), VP_ERR_AUDIO_TOO_LONG);
    assert_null(found);
    audio_file_free(&file);
    file = audio_file_write(SF_FORMAT_FLAC | SF_FORMAT_PCM_16, 16000, 1, tracked.samples,
                            tracked_samples_of(518));
    memset(file.bytes + file.n / 2, 0xff, file.n / 4); /* damaged since */
    const enum vp_status status = tracked_run(&file, 518, 2, 60.0, &found, &n_parts);
    assert_true(status == VP_OK || status == VP_ERR_AUDIO_UNDECODABLE);
    free(found);
    audio_file_free(&file);
    target_pass_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_same_bytes_give_the_same_bits, tracked_forget_speech),
        cmocka_unit_test_teardown(what_came_behind_is_left_out, tracked_forget_speech),
        cmocka_unit_test_teardown(bytes_that_changed_meanwhile_do_no_harm, tracked_forget_speech),
        cmocka_unit_test_teardown(bad_bytes_are_refused_as_in_the_first_hearing,
                                  tracked_forget_speech),
    };
    return cmocka_run_group_tests(tests, tracked_set_up, tracked_tear_down);
}
