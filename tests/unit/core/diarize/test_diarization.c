/*
 * A diarization from bytes to turns, with a small net of random weights: the answer's form, edge
 * inputs, mistakes of the caller, and that neither steps nor scratches leave a trace.
 */
#include "unit.h"

#include <math.h>
#include <sndfile.h>

#include "audio_file.h"
#include "diarization.h"

#define MODEL "tests/golden/models/small.safetensors"

static vp_model *model;
static vp_scratch *scratches[2];
static struct vp_diarize_options options;
static struct vp_err err;

static int open_model(void **state)
{
    (void)state;
    struct vp_limits limits;
    vp_limits_default(&limits);
    limits.max_duration_s = 2.0;
    if (vp_model_open(MODEL, VP_KERNEL_AUTO, &model, &err) != VP_OK)
        return -1;
    for (size_t i = 0; i < 2; i++)
        if (vp_scratch_new(model, &limits, &scratches[i], &err) != VP_OK)
            return -1;
    return 0;
}

static int close_model(void **state)
{
    (void)state;
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

/* What every answer must satisfy. */
static void check_answer(const struct vp_diarization_result *result)
{
    const size_t dim = vp_model_info(model)->dim;
    double share = 0.0, ends_s[VP_DIARIZE_MAX_SPEAKERS] = {0.0};
    unsigned seen = 0;
    for (size_t i = 0; i < result->n_segments; i++) {
        const struct vp_turn *turn = &result->segments[i];
        assert_true(turn->speaker < result->n_speakers && turn->speaker <= seen);
        seen += turn->speaker == seen;
        assert_true(turn->end_s > turn->start_s && turn->end_s <= result->duration_s + 5e-4);
        assert_true(i == 0 || turn->start_s >= turn[-1].start_s);
        assert_true(turn->start_s >= ends_s[turn->speaker]);
        assert_true(result->n_speakers == 1 ? turn->confidence == -1.0
                                            : turn->confidence >= 0.0 && turn->confidence <= 1.0);
        ends_s[turn->speaker] = turn->end_s;
    }
    assert_int_equal(seen, result->n_speakers);
    for (size_t i = 1; i < result->n_exclusive; i++)
        assert_true(result->exclusive[i].start_s >= result->exclusive[i - 1].end_s);
    for (size_t s = 0; s < result->n_speakers; s++) {
        double squares = 0.0;
        for (size_t d = 0; d < dim; d++)
            squares +=
                (double)result->speakers[s].embedding[d] * (double)result->speakers[s].embedding[d];
        assert_true(fabs(squares - 1.0) < 1e-5);
        assert_true(result->speakers[s].n_segments > 0);
        share += result->speakers[s].share;
    }
    assert_true(result->n_speakers == 0 || fabs(share - 1.0) < 1e-9);
    assert_true(result->overlap_s == 0.0); /* engine VAD */
    assert_true((result->warnings & VP_DIARIZE_WARN_NO_SPEECH) == 0 || result->n_segments == 0);
}

/* All steps, on one scratch or on both in turn; takes file. Returns owned *out unless it fails. */
static enum vp_status diarize(struct audio_file file, bool alternate, vp_diarization **out)
{
    struct vp_diarize_progress progress = {0};
    memset(&err, 0, sizeof err);
    enum vp_status status =
        vp_diarization_new(model, NULL, &options, file.bytes, file.n, out, &err);
    double fraction = 0.0;
    for (size_t i = 0; status == VP_OK && !progress.done; i++) {
        assert_null(vp_diarization_result(*out));
        status = vp_diarization_step(*out, scratches[alternate ? i % 2 : 0], &progress, &err);
        assert_true(progress.fraction >= fraction && progress.fraction <= 1.0);
        fraction = progress.fraction;
    }
    assert_int_equal(status, err.status);
    if (status != VP_OK && *out != NULL) { /* an error is final, and says the same again */
        struct vp_err again;
        assert_int_equal(vp_diarization_step(*out, scratches[0], &progress, &again), status);
        assert_string_equal(again.message, err.message);
        assert_null(vp_diarization_result(*out));
        vp_diarization_free(*out);
        *out = NULL;
    }
    if (status == VP_OK)
        check_answer(vp_diarization_result(*out));
    audio_file_free(&file);
    return status;
}

/* The warnings and number of turns of a recording that must be accepted; takes file. */
static unsigned warnings_of(struct audio_file file, size_t *n_segments)
{
    vp_diarization *diarization;
    const enum vp_status status = diarize(file, false, &diarization);
    if (status != VP_OK)
        fail_msg("%s: %s", vp_status_name(status), err.message);
    const unsigned warnings = vp_diarization_result(diarization)->warnings;
    *n_segments = vp_diarization_result(diarization)->n_segments;
    vp_diarization_free(diarization);
    return warnings;
}

static struct audio_file buzz(double seconds)
{
    return audio_file_of_buzz(SF_FORMAT_WAV | SF_FORMAT_PCM_16, 16000, 1, seconds);
}

static const struct vp_span everywhere[] = {{0.2, 4.0}, {4.5, 5.1}, {6.0, 29.0}};

static void steps_and_scratches_leave_no_trace(void **state)
{
    (void)state;
    vp_diarization *a, *b;
    char *text_a, *text_b;
    size_t n_a, n_b;
    options.speech = everywhere;
    options.n_speech = 3;
    options.num_speakers = 3;
    assert_int_equal(diarize(buzz(30.0), false, &a), VP_OK);
    assert_int_equal(diarize(buzz(30.0), true, &b), VP_OK);
    const struct vp_diarization_result *x = vp_diarization_result(a), *y = vp_diarization_result(b);
    assert_int_equal(vp_diarization_rttm(x, "a.b_c-1", &text_a, &n_a, NULL), VP_OK);
    assert_int_equal(vp_diarization_rttm(y, "a.b_c-1", &text_b, &n_b, NULL), VP_OK);
    assert_string_equal(text_a, text_b);
    assert_int_equal(n_a, strlen(text_a));
    assert_non_null(strstr(text_a, "SPEAKER a.b_c-1 1 0.200 "));
    assert_int_equal(x->n_speakers, y->n_speakers);
    for (size_t s = 0; s < x->n_speakers; s++)
        assert_memory_equal(x->speakers[s].embedding, y->speakers[s].embedding,
                            vp_model_info(model)->dim * sizeof(float));
    free(text_a);
    free(text_b);
    vp_diarization_free(a);
    vp_diarization_free(b);
}

/* One window's embedding is that of the same samples as a clip: same frames, same mean. */
static void a_window_is_a_clip(void **state)
{
    (void)state;
    enum { FIRST = 20 * 160, N = 149 * 160 + 400 }; /* 150 frames */
    static float samples[16000 * 3];
    const struct vp_span span = {0.2, 1.7};
    vp_diarization *diarization;
    struct vp_clip_info info;
    double norm;
    audio_file_buzz(samples, 16000 * 3, 16000.0);
    options.speech = &span;
    options.n_speech = 1;
    const int wav = SF_FORMAT_WAV | SF_FORMAT_FLOAT;
    assert_int_equal(
        diarize(audio_file_write(wav, 16000, 1, samples, 16000 * 3), false, &diarization), VP_OK);
    const struct vp_diarization_result *result = vp_diarization_result(diarization);
    const size_t dim = vp_model_info(model)->dim;
    float *embedding = calloc(dim, sizeof *embedding);
    assert_non_null(embedding);
    assert_int_equal(vp_clip_set_samples(scratches[0], samples + FIRST, N, &info, &err), VP_OK);
    assert_int_equal(vp_clip_fbank(scratches[0], NULL, NULL, &err), VP_OK);
    assert_int_equal(vp_clip_embed(scratches[0], embedding, &norm, &err), VP_OK);
    assert_int_equal(vp_embedding_normalize(embedding, dim, &norm, &err), VP_OK);
    assert_int_equal(result->n_speakers, 1);
    for (size_t d = 0; d < dim; d++)
        assert_true(fabsf(embedding[d] - result->speakers[0].embedding[d]) < 1e-4F);
    free(embedding);
    vp_diarization_free(diarization);
}

static void speech_that_is_given_is_spoken(void **state)
{
    (void)state;
    vp_diarization *diarization;
    const struct vp_span spans[] = {{1.0013, 2.0}, {2.9, 100.0}, {200.0, 300.0}};
    options.speech = spans;
    options.n_speech = 2;
    options.max_speakers = 1;
    assert_int_equal(diarize(buzz(5.0), false, &diarization), VP_OK);
    const struct vp_diarization_result *result = vp_diarization_result(diarization);
    assert_int_equal(result->n_segments, 2);
    assert_true(fabs(result->segments[0].start_s - 1.001) < 1e-9);
    assert_true(fabs(result->segments[1].end_s - 5.0) < 1e-9);
    vp_diarization_free(diarization);
    options.n_speech = 3;
    assert_int_equal(diarize(buzz(5.0), false, &diarization), VP_OK);
    assert_int_equal(vp_diarization_result(diarization)->n_segments, 2);
    vp_diarization_free(diarization);
}

static void short_and_silent_recordings_are_answered(void **state)
{
    (void)state;
    static float samples[16000 * 20];
    const int wav = SF_FORMAT_WAV | SF_FORMAT_PCM_16;
    static const double lengths[] = {0.001, 0.02, 0.03, 0.1, 0.3, 1.0};
    size_t n;
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        assert_true(warnings_of(buzz(lengths[i]), &n) & VP_DIARIZE_WARN_SHORT_AUDIO);
    assert_true(warnings_of(audio_file_write(wav, 16000, 1, samples, 16000 * 20), &n) &
                VP_DIARIZE_WARN_NO_SPEECH);
    assert_int_equal(n, 0);
    uint32_t noise = 1;
    for (size_t i = 0; i < 16000 * 20; i++) {
        noise = noise * 1664525u + 1013904223u;
        samples[i] = ((float)(noise >> 8) / 16777216.0F - 0.5F) * 0.2F;
    }
    warnings_of(audio_file_write(wav, 16000, 1, samples, 16000 * 20), &n);
    for (size_t i = 0; i < 16000 * 20; i++)
        samples[i] *= i > 16000 * 19.9 ? 5.0F : 1e-3F; /* a burst at the end */
    warnings_of(audio_file_write(wav, 16000, 1, samples, 16000 * 20), &n);
}

/* One voice on each side, at another rate; and channels in opposite phase. */
static void channels_and_rates(void **state)
{
    (void)state;
    enum { RATE = 8000, N = 12 * RATE };
    static float voice[N], samples[2 * N];
    size_t n;
    audio_file_buzz(voice, N, RATE);
    options.speech = everywhere;
    options.n_speech = 2;
    for (size_t i = 0; i < N; i++)
        samples[2 * i + (i < N / 2)] = voice[i];
    warnings_of(audio_file_write(SF_FORMAT_FLAC | SF_FORMAT_PCM_16, RATE, 2, samples, N), &n);
    assert_true(n > 0);
    for (size_t i = 0; i < N; i++) {
        samples[2 * i] = voice[i];
        samples[2 * i + 1] = -voice[i];
    }
    vp_diarization *diarization;
    assert_int_equal(
        diarize(audio_file_write(SF_FORMAT_WAV | SF_FORMAT_PCM_16, RATE, 2, samples, N), false,
                &diarization),
        VP_OK);
    const struct vp_clip_info *clip = &vp_diarization_result(diarization)->clip;
    assert_true(clip->warnings & VP_WARN_CHANNELS_DIFFER);
    assert_true(clip->rms_dbfs > -40.0); /* one side was heard, not the silence of their mean */
    assert_int_equal(clip->sample_rate_hz, RATE);
    assert_true(fabs(clip->duration_s - 12.0) < 1e-9);
    vp_diarization_free(diarization);
}

static void bad_recordings_are_refused(void **state)
{
    (void)state;
    vp_diarization *diarization;
    struct audio_file cut = buzz(9.0);
    assert_int_equal(diarize(audio_file_copy("", 0), false, &diarization), VP_ERR_AUDIO_EMPTY);
    assert_int_equal(diarize(audio_file_copy("no audio at all", 15), false, &diarization),
                     VP_ERR_AUDIO_UNSUPPORTED);
    cut.n /= 2;
    assert_int_equal(diarize(cut, false, &diarization), VP_ERR_AUDIO_UNDECODABLE);
    options.max_duration_s = 3.0;
    assert_int_equal(diarize(buzz(3.5), false, &diarization), VP_ERR_AUDIO_TOO_LONG);
    assert_true(err.limit == 3.0 && fabs(err.value - 3.5) < 1e-6);
    assert_int_equal(diarize(buzz(3.0), false, &diarization), VP_OK);
    vp_diarization_free(diarization);
}

static void expect_refused(const char *word)
{
    vp_diarization *diarization;
    assert_int_equal(diarize(buzz(1.0), false, &diarization), VP_ERR_ARGUMENT);
    assert_null(diarization);
    if (strstr(err.message, word) == NULL)
        fail_msg("'%s' does not name %s", err.message, word);
    vp_diarize_options_default(&options);
}

static void options_are_judged(void **state)
{
    (void)state;
    const struct vp_span backwards[] = {{2.0, 3.0}, {1.0, 1.5}};
    options.num_speakers = 21;
    expect_refused("num_speakers");
    options.max_speakers = 21;
    expect_refused("max_speakers");
    options.num_speakers = options.min_speakers = 2;
    expect_refused("not both");
    options.min_speakers = 3, options.max_speakers = 2;
    expect_refused("min_speakers");
    options.threshold = 1.01;
    expect_refused("threshold");
    options.threshold = (double)-INFINITY;
    expect_refused("threshold");
    options.min_on_s = 5.1;
    expect_refused("min_on");
    options.min_off_s = (double)NAN;
    expect_refused("min_off");
    options.max_duration_s = 0.0;
    expect_refused("max_duration_s");
    options.engine = VP_DIARIZE_SEGMENTATION;
    expect_refused("segmentation");
    options.speech = backwards;
    options.n_speech = 2;
    expect_refused("stretch 1");
}

static void a_small_scratch_is_refused(void **state)
{
    (void)state;
    struct vp_limits limits;
    vp_scratch *small;
    vp_diarization *diarization;
    struct vp_diarize_progress progress;
    struct audio_file file = buzz(3.0);
    vp_limits_default(&limits);
    limits.max_duration_s = 1.0;
    assert_int_equal(vp_scratch_new(model, &limits, &small, &err), VP_OK);
    assert_int_equal(
        vp_diarization_new(model, NULL, &options, file.bytes, file.n, &diarization, &err), VP_OK);
    assert_int_equal(vp_diarization_step(diarization, small, &progress, &err), VP_ERR_ARGUMENT);
    /* nothing is lost by it, nor by leaving in the middle */
    assert_int_equal(vp_diarization_step(diarization, scratches[0], &progress, &err), VP_OK);
    assert_true(vp_diarization_bytes(diarization) > 100000);
    vp_diarization_free(diarization);
    vp_scratch_free(small);
    audio_file_free(&file);
}

static void names_come_back(void **state)
{
    (void)state;
    enum vp_diarize_engine engine;
    const struct vp_diarization_result nothing = {0};
    char *text;
    size_t n;
    for (unsigned i = 0; i < 3; i++) {
        assert_true(vp_diarize_engine_parse(vp_diarize_engine_name(i), &engine));
        assert_int_equal(engine, i);
    }
    assert_false(vp_diarize_engine_parse("best", &engine));
    assert_string_equal(vp_diarize_warning_name(1), "fewer_speakers_than_asked");
    assert_int_equal(vp_diarization_rttm(&nothing, "x", &text, &n, NULL), VP_OK);
    assert_string_equal(text, "");
    free(text);
    char longest[1026] = "";
    memset(longest, 'a', 1024);
    assert_int_equal(vp_diarization_rttm(&nothing, longest, &text, &n, NULL), VP_OK);
    free(text);
    longest[1024] = 'a';
    const char *const bad[] = {"", "a b", "a\tb", "a\n", "\x7f", longest};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(vp_diarization_rttm(&nothing, bad[i], &text, &n, &err), VP_ERR_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(steps_and_scratches_leave_no_trace, set_up),
        cmocka_unit_test_setup(a_window_is_a_clip, set_up),
        cmocka_unit_test_setup(speech_that_is_given_is_spoken, set_up),
        cmocka_unit_test_setup(short_and_silent_recordings_are_answered, set_up),
        cmocka_unit_test_setup(channels_and_rates, set_up),
        cmocka_unit_test_setup(bad_recordings_are_refused, set_up),
        cmocka_unit_test_setup(options_are_judged, set_up),
        cmocka_unit_test_setup(a_small_scratch_is_refused, set_up),
        cmocka_unit_test(names_come_back),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
