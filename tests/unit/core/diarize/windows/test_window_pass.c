/*
 * The first pass with a segmentation network, random weights: speech is what its masks say, however
 * late it says so.
 */
#include "unit.h"

#include <math.h>
#include <sndfile.h>

#include "audio/sniff.h"
#include "audio_file.h"
#include "diarize/windows/window_pass.h"
#include "features/frames.h"
#include "voice/scratch.h"

static vp_model *model;
static vp_scratch *scratch;
static vp_segmentation *network;

static int open_models(void **state)
{
    (void)state;
    struct vp_limits limits;
    vp_limits_default(&limits);
    limits.max_duration_s = 2.0;
    return vp_model_open("tests/golden/models/small.safetensors", VP_KERNEL_AUTO, &model, NULL) ==
                       VP_OK &&
                   vp_scratch_new(model, &limits, &scratch, NULL) == VP_OK &&
                   vp_segmentation_open("tests/golden/segmentation/small.safetensors",
                                        VP_KERNEL_AUTO, &network, NULL) == VP_OK
               ? 0
               : -1;
}

static int close_models(void **state)
{
    (void)state;
    vp_segmentation_free(network);
    vp_scratch_free(scratch);
    vp_model_free(model);
    return 0;
}

/* Is the frame of 10 ms speech, once all windows are known? */
static bool twin_speech(const struct local_masks *masks, size_t frame)
{
    const double at = 160.0 * (double)frame + 80.0;
    const size_t last = local_masks_n_frames(masks) - 1;
    const size_t t = (size_t)fmax(floor((at - 495.0 + 135.0) / 270.0), 0.0);
    return local_masks_speech(masks, t < last ? t : last);
}

/* Talk, and silence every ten seconds. */
static struct audio_file talk(size_t n)
{
    float *samples = calloc(n, sizeof *samples);
    assert_non_null(samples);
    audio_file_talk(samples, n);
    for (size_t i = 0; i < n; i++)
        samples[i] *= i % 160000 < 120000 ? 1.0F : 0.0F;
    const struct audio_file file =
        audio_file_write(SF_FORMAT_WAV | SF_FORMAT_PCM_16, 16000, 1, samples, n);
    free(samples);
    return file;
}

static void check(size_t n_samples)
{
    struct audio_file file = talk(n_samples);
    struct vp_diarize_options options;
    struct container container;
    struct window_pass *pass;
    struct vp_err err = {0};
    bool done = false;
    vp_diarize_options_default(&options);
    assert_int_equal(sniff_container((struct bytes){file.bytes, file.n}, &container, &err), VP_OK);
    assert_int_equal(window_pass_new(model, network, &container, &options, &pass, &err), VP_OK);
    while (!done)
        if (window_pass_step(pass, scratch, &done, &err) != VP_OK)
            fail_msg("%s", err.message);

    const struct local_masks *masks = window_pass_masks(pass);
    const struct segments *segments = window_pass_segments(pass);
    assert_int_equal(window_pass_n_samples(pass), n_samples);
    assert_int_equal(masks->n_windows, local_masks_n_windows(n_samples));
    const size_t n_frames = window_pass_clip(pass)->n_frames;
    size_t at = 0;
    for (size_t i = 0; i < n_frames; i++) {
        while (at < segments->n && segments->list[at].end <= i)
            at++;
        assert_int_equal(at < segments->n && segments->list[at].first <= i, twin_speech(masks, i));
    }
    const struct window_embeddings *embedded = window_pass_embeddings(pass);
    assert_int_equal(embedded->n > 0, segments->n > 0);
    for (size_t i = 0; i < embedded->n; i++) {
        const struct window *window = &embedded->windows[i];
        assert_true(window->first >= segments->list[window->segment].first);
        assert_true(window->end <= segments->list[window->segment].end);
    }
    if (n_samples > 400000) /* the test means nothing where all is speech, or nothing is */
        assert_true(segments->n > 2);
    window_pass_free(pass);
    audio_file_free(&file);
}

static void speech_is_what_the_masks_say(void **state)
{
    (void)state;
    check(30000);
    check(160000);
    check(290000);
    check(720000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(speech_is_what_the_masks_say)};
    return cmocka_run_group_tests(tests, open_models, close_models);
}
