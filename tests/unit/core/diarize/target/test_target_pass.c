/*
 * The second pass with the model and the net in the box: against a twin that has the whole
 * recording at hand and pools it by plain loops in double, and what it leaves out.
 */
#include "unit.h"

#include <math.h>

#include "audio/mono.h"
#include "audio/sniff.h"
#include "naive_target_pass.h"
#include "tracked.h"

#define BAR    5e-5 /* of a probability */
#define N_ROWS 2560u

/* Of samples [n], all of it. */
static struct naive_target_pass make_twin(size_t n, size_t n_voices)
{
    return naive_track(tracked.scratches[1], tracked.tsvad, tracked.samples, n, tracked.directions,
                       n_voices);
}

/* Is the part's probability asked for? */
static bool asked(size_t part)
{
    const double start_s = 0.02 * (double)part, end_s = start_s + 0.02;
    for (size_t i = 0; i < tracked.segments.n; i++)
        if (end_s > tracked.segments.list[i].start_s - TARGET_TURNS_MARGIN_S &&
            start_s < tracked.segments.list[i].end_s + TARGET_TURNS_MARGIN_S)
            return true;
    return false;
}

/* The largest difference of probabilities that are asked for, or of the others. */
static double difference(const struct naive_target_pass *twin, const float *found, bool of_asked)
{
    double worst = 0.0;
    for (size_t i = 0; i < twin->n_trunk * 4; i++)
        for (size_t v = 0; v < twin->n_voices && asked(i) == of_asked; v++) {
            const size_t at = i * twin->n_voices + v;
            const double d = fabs((double)found[at] - (double)twin->probabilities[at]);
            worst = d <= worst ? worst : d; /* NaN is the worst */
        }
    return worst;
}

static void agrees_with_the_twin(void **state)
{
    (void)state;
    static const struct {
        size_t n_frames, n_voices;
    } cases[] = {{100, 2}, {105, 1}, {512, 1}, {513, 2}, {518, 3}, {578, 2}, {1098, 2}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const size_t n = tracked_samples_of(cases[i].n_frames), n_voices = cases[i].n_voices;
        double low = 1.0, high = 0.0;
        audio_file_talk(tracked.samples, n);
        segments_clear(&tracked.segments);
        tracked_speech(0, cases[i].n_frames);
        struct naive_target_pass twin = make_twin(n, n_voices);
        assert_int_equal(twin.n_frames, cases[i].n_frames);
        float *found = tracked_well(tracked_wav(n), twin.n_frames, n_voices);
        const double worst = difference(&twin, found, true);
        if (!(worst <= BAR))
            fail_msg("%zu frames, %zu voices: %g off", twin.n_frames, n_voices, worst);
        for (size_t k = 0; k < twin.n_trunk * 4 * n_voices; k++) {
            low = fmin(low, (double)found[k]);
            high = fmax(high, (double)found[k]);
        }
        if (n_voices > 1 && high - low < 0.1)
            fail_msg("%zu frames: all between %g and %g", twin.n_frames, low, high);
        free(found);
        naive_target_pass_free(&twin);
    }
}

/* Windows in which two take turns of 1.5 s, and from 6 s on the second has another number. */
static struct local_masks turns_of_talk(size_t n)
{
    struct local_masks masks = {0};
    for (size_t w = 0; w < local_masks_n_windows(n); w++) {
        unsigned char window[SEG_WINDOW_FRAMES];
        for (size_t k = 0; k < SEG_WINDOW_FRAMES; k++) {
            const double at_s =
                (double)(w * LOCAL_HOP + SEG_FRAME_CENTRE + k * SEG_FRAME_STEP) / 16000.0;
            const bool second = (size_t)(at_s / 1.5) % 2 == 1;
            window[k] = !second ? 1 : at_s < 6.0 ? 2 : 4;
        }
        assert_int_equal(local_masks_add(&masks, window, 1, NULL), VP_OK);
    }
    return masks;
}

/* With the net and without, against all trunk frames of the twin in one go. */
static void local_speakers_get_the_whole_trunk(void **state)
{
    (void)state;
    enum { N_FRAMES = 1098 };
    const size_t n = tracked_samples_of(N_FRAMES);
    audio_file_talk(tracked.samples, n);
    tracked_speech(0, N_FRAMES);
    struct naive_target_pass twin = make_twin(n, 2);
    struct local_masks masks = turns_of_talk(n);
    const struct local_voices voices = {tracked.directions, TRACKED_N_VOICES,
                                        tracked.model->info.dim};
    struct local_speakers *want, *found;
    assert_int_equal(
        local_speakers_new(&masks, tracked.model->network->resnet, &voices, &want, &tracked.err),
        VP_OK);
    for (size_t i = 0; i < twin.n_trunk; i++)
        assert_int_equal(local_speakers_add(want, i, twin.trunk + i * N_ROWS, &tracked.err), VP_OK);
    assert_int_equal(local_speakers_finish(want, &tracked.err), VP_OK);
    const unsigned char *of_want = local_speakers_voices(want);
    for (size_t s = 0; s < SEG_N_SPEAKERS; s++) /* all three are heard and known */
        assert_true(of_want[s] != LOCAL_NOBODY);

    struct audio_file file = tracked_wav(n);
    float *probabilities = naive_detect(tracked.scratches[1], tracked.samples, n);
    for (int with_net = 0; with_net < 2; with_net++) {
        struct container container;
        struct target_pass *pass;
        bool done = false;
        assert_int_equal(local_speakers_new(&masks, tracked.model->network->resnet, &voices, &found,
                                            &tracked.err),
                         VP_OK);
        const struct target_pass_known known = {.max_duration_s = 60.0,
                                                .channel = VP_CHANNEL_MIX,
                                                .n_frames = N_FRAMES,
                                                .probabilities = with_net ? probabilities : NULL,
                                                .segments = &tracked.segments,
                                                .directions = tracked.directions,
                                                .n_voices = 2,
                                                .locals = found};
        assert_int_equal(
            sniff_container((struct bytes){file.bytes, file.n}, &container, &tracked.err), VP_OK);
        assert_int_equal(target_pass_new(tracked.model, with_net ? tracked.tsvad : NULL, &container,
                                         &known, &pass, &tracked.err),
                         VP_OK);
        while (!done)
            assert_int_equal(target_pass_step(pass, tracked.scratches[0], &done, &tracked.err),
                             VP_OK);
        assert_memory_equal(local_speakers_voices(found), of_want,
                            masks.n_windows * SEG_N_SPEAKERS);
        target_pass_free(pass);
        local_speakers_free(found);
    }
    free(probabilities);
    audio_file_free(&file);
    local_speakers_free(want);
    local_masks_clear(&masks);
    naive_target_pass_free(&twin);
}

/* 23.4 s. There is sound everywhere, but the first hearing found speech in some of it only. */
static void what_is_left_out_changes_nothing_nearby(void **state)
{
    (void)state;
    enum { N_FRAMES = 2343 };
    static const size_t spans[][2][2] = {
        {{0, 1200}, {1200, N_FRAMES}},  /* everything is asked for */
        {{0, 200}, {2200, N_FRAMES}},   /* stretches 1 and 2 are nobody's */
        {{30, 738}, {2340, N_FRAMES}},  /* the last frame for which stretch 2 is still computed */
        {{700, 880}, {2340, N_FRAMES}}, /* what is asked for behind it depends on stretch 2 */
        {{1100, 1101}, {1102, 1110}},   /* one stretch and its neighbours */
    };
    const size_t n = tracked_samples_of(N_FRAMES);
    audio_file_talk(tracked.samples, n);
    struct naive_target_pass twin = make_twin(n, 2);
    for (size_t i = 0; i < sizeof spans / sizeof spans[0]; i++) {
        segments_clear(&tracked.segments);
        tracked_speech(spans[i][0][0], spans[i][0][1]);
        tracked_speech(spans[i][1][0], spans[i][1][1]);
        float *found = tracked_well(tracked_wav(n), N_FRAMES, 2);
        const double worst = difference(&twin, found, true);
        if (!(worst <= BAR))
            fail_msg("spans %zu: %g off", i, worst);
        assert_true(i == 0 || difference(&twin, found, false) > 0.01); /* some was left out */
        free(found);
    }
    naive_target_pass_free(&twin);
}

static void without_speech_nothing_is_computed(void **state)
{
    (void)state;
    enum { N_FRAMES = 300, N_VALUES = (N_FRAMES + 7) / 8 * 4 * 2 };
    const size_t n = tracked_samples_of(N_FRAMES);
    double worst = 0.0;
    audio_file_talk(tracked.samples, n);
    float *found = tracked_well(tracked_wav(n), N_FRAMES, 2);
    tracked_speech(0, N_FRAMES);
    float *all = tracked_well(tracked_wav(n), N_FRAMES, 2);
    for (size_t i = 0; i < N_VALUES; i++)
        worst = fmax(worst, fabs((double)found[i] - (double)all[i]));
    assert_true(worst > 0.01);
    free(all);
    free(found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(agrees_with_the_twin, tracked_forget_speech),
        cmocka_unit_test_teardown(local_speakers_get_the_whole_trunk, tracked_forget_speech),
        cmocka_unit_test_teardown(what_is_left_out_changes_nothing_nearby, tracked_forget_speech),
        cmocka_unit_test_teardown(without_speech_nothing_is_computed, tracked_forget_speech),
    };
    return cmocka_run_group_tests(tests, tracked_set_up, tracked_tear_down);
}
