/* A recording on its way in, when it cannot go on. */
#include "unit.h"

#include "audio/intake.h"
#include "audio/sniff.h"
#include "audio_file.h"

#include <sndfile.h>

static float samples[MONO_BLOCK_SAMPLES];

/* Of a recording whose channels were heard a second stream is opened, for which memory may be
 * short: here it has no bytes any more. */
static void how_far_it_is_can_be_asked_when_the_second_stream_is_not_there(void **state)
{
    (void)state;
    struct audio_file file = audio_file_of_buzz(SF_FORMAT_WAV | SF_FORMAT_PCM_16, 16000, 1, 1.0);
    struct container container;
    struct intake intake;
    struct vp_err err;
    size_t n;
    bool ended;
    assert_int_equal(sniff_container((struct bytes){file.bytes, file.n}, &container, &err), VP_OK);
    assert_int_equal(intake_open(&intake, &container, 60.0, VP_CHANNEL_MIX, &err), VP_OK);
    assert_true(intake_progress(&intake) == 0.0);
    intake.container.data.n = 0;
    assert_int_equal(intake_read(&intake, samples, &n, &ended, &err), VP_ERR_AUDIO_UNDECODABLE);
    assert_false(intake.probing);
    assert_null(intake.mono);
    assert_true(intake_progress(&intake) == 0.0);
    intake_close(&intake);
    audio_file_free(&file);
}

static void it_goes_from_nothing_to_all(void **state)
{
    (void)state;
    struct audio_file file = audio_file_of_buzz(SF_FORMAT_WAV | SF_FORMAT_PCM_16, 16000, 2, 20.0);
    struct container container;
    struct intake intake;
    struct vp_err err;
    size_t n, n_samples = 0;
    double before = 0.0;
    bool ended = false;
    assert_int_equal(sniff_container((struct bytes){file.bytes, file.n}, &container, &err), VP_OK);
    assert_int_equal(intake_open(&intake, &container, 60.0, VP_CHANNEL_MIX, &err), VP_OK);
    while (!ended) {
        assert_int_equal(intake_read(&intake, samples, &n, &ended, &err), VP_OK);
        n_samples += n;
        assert_true(intake_progress(&intake) >= before && intake_progress(&intake) <= 1.0);
        before = intake_progress(&intake);
    }
    assert_int_equal(n_samples, 320000);
    assert_true(before == 1.0 && intake.clip.duration_s == 20.0);
    intake_close(&intake);
    audio_file_free(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(how_far_it_is_can_be_asked_when_the_second_stream_is_not_there),
        cmocka_unit_test(it_goes_from_nothing_to_all),
    };
    return cmocka_run_group_tests_name("intake", tests, NULL, NULL);
}
