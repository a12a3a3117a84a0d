/*
 * A diarization with the model in the box, whose voices are tracked: that it happens, and when not;
 * speech that is given is spoken to the millisecond; and that scratches leave no trace.
 */
#include "unit.h"

#include <math.h>
#include <sndfile.h>

#include "audio_file.h"
#include "diarization.h"

#define MODEL  "models/voiceprint.safetensors"
#define MOST_S 12

static vp_model *model;
static vp_scratch *scratches[2], *small;
static struct vp_diarize_options options;
static struct vp_err err;
static float samples[MOST_S * 16000];

static int open_model(void **state)
{
    (void)state;
    struct vp_limits limits;
    vp_limits_default(&limits);
    limits.max_duration_s = 6.0;
    if (vp_model_open(MODEL, VP_KERNEL_AUTO, &model, &err) != VP_OK ||
        vp_scratch_new(model, &limits, &scratches[0], &err) != VP_OK ||
        vp_scratch_new(model, &limits, &scratches[1], &err) != VP_OK)
        return -1;
    limits.max_duration_s = 2.0;
    return vp_scratch_new(model, &limits, &small, &err) == VP_OK ? 0 : -1;
}

static int close_model(void **state)
{
    (void)state;
    vp_scratch_free(small);
    for (size_t i = 0; i < 2; i++)
        vp_scratch_free(scratches[i]);
    vp_model_free(model);
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    vp_diarize_options_default(&options);
    return 0;
}

/* What tracking holds, at least: a step may do more than that, and its stage is not seen then. */
#define TRACKING_BYTES 2000000u

/* All steps of a recording of n samples, on a and b in turn. *tracked: did it come to
 * that? Returns owned. */
static vp_diarization *diarize(size_t n, vp_scratch *a, vp_scratch *b, bool *tracked)
{
    vp_diarization *diarization;
    struct vp_diarize_progress progress = {0};
    double fraction = 0.0;
    audio_file_talk(samples, n);
    struct audio_file file =
        audio_file_write(SF_FORMAT_WAV | SF_FORMAT_PCM_16, 16000, 1, samples, n);
    enum vp_status status =
        vp_diarization_new(model, NULL, &options, file.bytes, file.n, &diarization, &err);
    const size_t n_bytes = status == VP_OK ? vp_diarization_bytes(diarization) : 0;
    for (size_t i = 0; status == VP_OK && !progress.done; i++) {
        status = vp_diarization_step(diarization, i % 2 == 0 ? a : b, &progress, &err);
        assert_true(progress.fraction >= fraction && progress.fraction <= 1.0);
        fraction = progress.fraction;
    }
    if (status != VP_OK)
        fail_msg("%s: %s", vp_status_name(status), err.message);
    *tracked = vp_diarization_bytes(diarization) > n_bytes + TRACKING_BYTES;
    audio_file_free(&file);
    return diarization;
}

static bool tells_overlap(const vp_diarization *diarization)
{
    return (vp_diarization_result(diarization)->warnings & VP_DIARIZE_WARN_NO_OVERLAP) == 0;
}

static void voices_are_tracked_where_they_can_be(void **state)
{
    (void)state;
    bool tracked;
    vp_diarization *diarization = diarize(MOST_S * 16000, scratches[0], scratches[0], &tracked);
    assert_true(tracked && tells_overlap(diarization));
    const struct vp_diarization_result *result = vp_diarization_result(diarization);
    assert_true(result->n_speakers >= 1 && result->speech_s > 6.0);
    for (size_t i = 0; i < result->n_segments; i++)
        assert_true(result->segments[i].start_s >= 0.0 &&
                    result->segments[i].end_s <= (double)MOST_S + 5e-4);
    vp_diarization_free(diarization);

    /* 99 frames are too few, 100 are not */
    const struct vp_span all = {0.0, 2.0};
    options.speech = &all;
    options.n_speech = 1;
    diarization = diarize(98 * 160 + 400, scratches[0], scratches[0], &tracked);
    assert_false(tracked || tells_overlap(diarization));
    vp_diarization_free(diarization);
    diarization = diarize(99 * 160 + 400, scratches[0], scratches[0], &tracked);
    assert_true(tracked && tells_overlap(diarization));
    vp_diarization_free(diarization);

    /* nor does a scratch for shorter clips do */
    diarization = diarize(8 * 16000, small, small, &tracked);
    assert_false(tracked || tells_overlap(diarization));
    vp_diarization_free(diarization);
}

static void speech_that_is_given_is_spoken_all_through(void **state)
{
    (void)state;
    const struct vp_span spans[] = {{0.213, 3.777}, {4.0, 4.345}, {5.001, 11.999}};
    bool tracked;
    options.speech = spans;
    options.n_speech = 3;
    options.num_speakers = 2;
    options.min_on_s = 0.0;
    options.min_off_s = 0.0;
    vp_diarization *diarization = diarize(MOST_S * 16000, scratches[0], scratches[0], &tracked);
    const struct vp_diarization_result *result = vp_diarization_result(diarization);
    assert_true(tracked);
    assert_int_equal(result->n_speakers, 2);
    for (double at_s = 0.0005; at_s < 12.0; at_s += 0.001) {
        bool wanted = false, found = false;
        for (size_t i = 0; i < 3; i++)
            wanted |= at_s > spans[i].start_s && at_s < spans[i].end_s;
        for (size_t i = 0; i < result->n_segments; i++)
            found |= at_s > result->segments[i].start_s && at_s < result->segments[i].end_s;
        if (wanted != found)
            fail_msg("at %.4f s %s", at_s, found ? "somebody speaks" : "nobody speaks");
    }
    for (size_t i = 0; i < result->n_segments; i++)
        assert_true(result->segments[i].confidence >= 0.0 && result->segments[i].confidence <= 1.0);
    vp_diarization_free(diarization);
}

/* Who was never heard clearly keeps the turns of the first hearing. */
static void no_voice_gets_lost(void **state)
{
    (void)state;
    bool tracked;
    const struct vp_diarize_options cleaned = options;
    for (unsigned n_voices = 2; n_voices <= 6; n_voices++) {
        options = cleaned;
        options.num_speakers = n_voices;
        if (n_voices % 2 == 0) /* pauses and short turns as they are */
            options.min_on_s = options.min_off_s = 0.0;
        vp_diarization *plain = diarize(MOST_S * 16000, small, small, &tracked);
        assert_false(tracked);
        vp_diarization *diarization = diarize(MOST_S * 16000, scratches[0], scratches[1], &tracked);
        assert_true(tracked);
        assert_true(vp_diarization_result(plain)->n_speakers >= 2);
        assert_int_equal(vp_diarization_result(diarization)->n_speakers,
                         vp_diarization_result(plain)->n_speakers);
        vp_diarization_free(diarization);
        vp_diarization_free(plain);
    }
}

static void scratches_leave_no_trace(void **state)
{
    (void)state;
    vp_diarization *both[2];
    char *texts[2];
    size_t n;
    bool tracked;
    options.num_speakers = 2;
    both[0] = diarize(11 * 16000 + 7, scratches[0], scratches[0], &tracked);
    both[1] = diarize(11 * 16000 + 7, scratches[0], scratches[1], &tracked);
    assert_true(tracked);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(
            vp_diarization_rttm(vp_diarization_result(both[i]), "a", &texts[i], &n, &err), VP_OK);
    assert_true(n > 50);
    assert_string_equal(texts[0], texts[1]);
    for (size_t i = 0; i < 2; i++) {
        free(texts[i]);
        vp_diarization_free(both[i]);
    }
}

/* Steps until the voices are tracked; 12 s are several steps then. Borrows file. */
static vp_diarization *begin_tracking(const struct audio_file *file)
{
    vp_diarization *diarization;
    struct vp_diarize_progress progress = {.stage = ""};
    assert_int_equal(
        vp_diarization_new(model, NULL, &options, file->bytes, file->n, &diarization, &err), VP_OK);
    while (strcmp(progress.stage, "track") != 0) {
        assert_false(progress.done);
        assert_int_equal(vp_diarization_step(diarization, scratches[0], &progress, &err), VP_OK);
    }
    assert_null(vp_diarization_result(diarization));
    return diarization;
}

/* Tracking holds more of the recording in a scratch than the first hearing does. */
static void a_scratch_too_small_for_tracking_is_refused(void **state)
{
    (void)state;
    struct vp_diarize_progress progress = {0};
    audio_file_talk(samples, MOST_S * 16000);
    struct audio_file file =
        audio_file_write(SF_FORMAT_WAV | SF_FORMAT_PCM_16, 16000, 1, samples, MOST_S * 16000);
    vp_diarization *diarization = begin_tracking(&file);
    assert_int_equal(vp_diarization_step(diarization, small, &progress, &err), VP_ERR_ARGUMENT);
    assert_non_null(strstr(err.message, "clips of 6 s or more"));
    while (!progress.done) /* nothing is lost by it, */
        assert_int_equal(vp_diarization_step(diarization, scratches[0], &progress, &err), VP_OK);
    assert_true(tells_overlap(diarization));
    vp_diarization_free(diarization);
    vp_diarization_free(begin_tracking(&file)); /* nor by leaving in the middle */
    audio_file_free(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(voices_are_tracked_where_they_can_be, set_up),
        cmocka_unit_test_setup(speech_that_is_given_is_spoken_all_through, set_up),
        cmocka_unit_test_setup(no_voice_gets_lost, set_up),
        cmocka_unit_test_setup(scratches_leave_no_trace, set_up),
        cmocka_unit_test_setup(a_scratch_too_small_for_tracking_is_refused, set_up),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
