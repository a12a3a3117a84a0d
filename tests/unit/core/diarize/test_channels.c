/* Each channel by itself: what is heard is what each gives alone, under distinct names. */
#include "unit.h"

#include <math.h>
#include <sndfile.h>
#include <time.h>

#include "audio_file.h"
#include "diarization.h"

#define MODEL "tests/golden/models/small.safetensors"
enum { RATE = 16000, N = 12 * RATE };

static vp_model *model;
static vp_scratch *scratch;
static struct vp_diarize_options options;
static struct vp_err err;
static float call[2 * N]; /* one voice a channel: the right one begins, the left one answers */

/* A clock so fast that every step is one piece of work: a test sees what lies between any two. */
extern int __wrap_clock_gettime(clockid_t id, struct timespec *now);
int __wrap_clock_gettime(clockid_t id, struct timespec *now)
{
    static time_t second;
    (void)id;
    *now = (struct timespec){.tv_sec = second++};
    return 0;
}

static int open_model(void **state)
{
    (void)state;
    struct vp_limits limits;
    vp_limits_default(&limits);
    limits.max_duration_s = 2.0;
    static float voice[N];
    uint32_t seed = 3;
    audio_file_buzz(voice, N, 10000.0);
    for (size_t i = 0; i < 2 * N; i++) { /* over faint noise */
        seed = seed * 1664525u + 1013904223u;
        call[i] = ((float)(seed >> 8) / 8388608.0F - 1.0F) * 1e-3F;
    }
    for (size_t i = 0; i < N; i++)
        call[2 * i + (i < N / 2)] += voice[i];
    return vp_model_open(MODEL, VP_KERNEL_AUTO, &model, &err) == VP_OK &&
                   vp_scratch_new(model, &limits, &scratch, &err) == VP_OK
               ? 0
               : -1;
}

static int close_model(void **state)
{
    (void)state;
    vp_scratch_free(scratch);
    vp_model_free(model);
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    vp_diarize_options_default(&options);
    return 0;
}

static struct audio_file recording(int channels, const float *samples)
{
    return audio_file_write(SF_FORMAT_FLAC | SF_FORMAT_PCM_16, RATE, channels, samples, N);
}

/* All steps over file, which the caller keeps. Returns owned *out unless it cannot begin. */
static enum vp_status run(const struct audio_file *file, unsigned channel, vp_diarization **out)
{
    struct vp_diarize_progress progress = {0};
    options.channel = channel;
    enum vp_status status =
        vp_diarization_new(model, NULL, &options, file->bytes, file->n, out, &err);
    for (double before = 0.0; status == VP_OK && !progress.done; before = progress.fraction) {
        assert_null(vp_diarization_result(*out));
        status = vp_diarization_step(*out, scratch, &progress, &err);
        assert_true(progress.fraction >= before && progress.fraction <= 1.0);
        assert_true(vp_diarization_bytes(*out) > 0);
    }
    return status;
}

static const struct vp_diarization_result *heard(const struct audio_file *file, unsigned channel,
                                                 vp_diarization **out)
{
    if (run(file, channel, out) != VP_OK)
        fail_msg("channel %u: %s", channel, err.message);
    return vp_diarization_result(*out);
}

/* The next turn of a channel at or behind *at. */
static const struct vp_turn *turn_of(const struct vp_diarization_result *split, unsigned channel,
                                     size_t *at)
{
    while (*at < split->n_segments &&
           split->speakers[split->segments[*at].speaker].channel != channel)
        ++*at;
    return *at < split->n_segments ? &split->segments[(*at)++] : NULL;
}

static void each_channel_is_heard_by_itself(void **state)
{
    (void)state;
    struct audio_file file = recording(2, call);
    vp_diarization *both;
    const struct vp_diarization_result *split = heard(&file, VP_CHANNEL_SPLIT, &both);
    size_t n_speakers = 0;
    for (unsigned c = 1; c <= 2; c++) {
        vp_diarization *alone;
        const struct vp_diarization_result *one = heard(&file, c, &alone);
        assert_true(one->n_segments > 0);
        size_t at = 0;
        for (size_t i = 0; i < one->n_segments; i++) {
            const struct vp_turn *turn = turn_of(split, c, &at);
            assert_non_null(turn);
            assert_true(turn->start_s == one->segments[i].start_s);
            assert_true(turn->end_s == one->segments[i].end_s);
            assert_memory_equal(split->speakers[turn->speaker].embedding,
                                one->speakers[one->segments[i].speaker].embedding,
                                vp_model_info(model)->dim * sizeof(float));
        }
        assert_null(turn_of(split, c, &at));
        assert_int_equal(one->speakers[0].channel, c);
        n_speakers += one->n_speakers;
        vp_diarization_free(alone);
    }
    assert_int_equal(split->n_speakers, n_speakers);
    assert_int_equal(split->speakers[0].channel, 2); /* who speaks first has the first name */
    for (size_t i = 1; i < split->n_segments; i++)
        assert_true(split->segments[i].start_s >= split->segments[i - 1].start_s);
    assert_false(split->clip.warnings & VP_WARN_CHANNELS_DIFFER);
    vp_diarization_free(both);
    audio_file_free(&file);
}

static void rttm_says_which_channel(void **state)
{
    (void)state;
    struct audio_file file = recording(2, call);
    vp_diarization *diarization;
    char *text;
    size_t n;
    heard(&file, VP_CHANNEL_SPLIT, &diarization);
    assert_int_equal(
        vp_diarization_rttm(vp_diarization_result(diarization), "call", &text, &n, &err), VP_OK);
    assert_memory_equal(text, "SPEAKER call 2 ", 15);
    assert_non_null(strstr(text, "\nSPEAKER call 1 "));
    free(text);
    vp_diarization_free(diarization);
    heard(&file, VP_CHANNEL_MIX, &diarization);
    assert_int_equal(
        vp_diarization_rttm(vp_diarization_result(diarization), "call", &text, &n, &err), VP_OK);
    assert_memory_equal(text, "SPEAKER call 1 ", 15);
    assert_null(strstr(text, "call 2 "));
    free(text);
    vp_diarization_free(diarization);
    audio_file_free(&file);
}

static void silence_in_one_channel_is_no_silence(void **state)
{
    (void)state;
    static float samples[2 * N];
    vp_diarization *diarization;
    memset(samples, 0, sizeof samples);
    struct audio_file silent = recording(2, samples);
    for (size_t i = 0; i < N; i++)
        samples[2 * i] = call[2 * i];
    struct audio_file one = recording(2, samples);
    assert_true(heard(&silent, VP_CHANNEL_SPLIT, &diarization)->warnings &
                VP_DIARIZE_WARN_NO_SPEECH);
    vp_diarization_free(diarization);
    assert_false(heard(&one, VP_CHANNEL_SPLIT, &diarization)->warnings &
                 (VP_DIARIZE_WARN_NO_SPEECH | VP_DIARIZE_WARN_FEWER_SPEAKERS));
    vp_diarization_free(diarization);
    options.num_speakers = 1; /* of each channel */
    const struct vp_diarization_result *result = heard(&one, VP_CHANNEL_SPLIT, &diarization);
    assert_true(result->warnings & VP_DIARIZE_WARN_FEWER_SPEAKERS);
    assert_false(result->num_speakers_given);
    vp_diarization_free(diarization);
    audio_file_free(&silent);
    audio_file_free(&one);
}

static void numbers_of_speakers_are_of_each_channel(void **state)
{
    (void)state;
    struct audio_file file = recording(2, call);
    vp_diarization *diarization;
    options.num_speakers = 1;
    const struct vp_diarization_result *result = heard(&file, VP_CHANNEL_SPLIT, &diarization);
    assert_int_equal(result->n_speakers, 2);
    assert_true(result->num_speakers_given);
    vp_diarization_free(diarization);
    audio_file_free(&file);
}

static void durations_count_together(void **state)
{
    (void)state;
    struct audio_file file = recording(2, call);
    vp_diarization *diarization;
    options.max_duration_s = 23.9;
    assert_int_equal(run(&file, VP_CHANNEL_SPLIT, &diarization), VP_ERR_AUDIO_TOO_LONG);
    assert_non_null(strstr(err.message, "2 channels"));
    assert_true(fabs(err.value - 24.0) < 0.01 && fabs(err.limit - 23.9) < 1e-9);
    vp_diarization_free(diarization);
    assert_int_equal(run(&file, 2, &diarization), VP_OK); /* one alone is half as much */
    vp_diarization_free(diarization);
    options.max_duration_s = 24.0;
    assert_int_equal(run(&file, VP_CHANNEL_SPLIT, &diarization), VP_OK);
    vp_diarization_free(diarization);
    audio_file_free(&file);
}

/* The file changes below its mapping, say: the first channel's decoder is past its header. */
static void a_next_channel_that_cannot_be_opened_is_an_error(void **state)
{
    (void)state;
    struct audio_file file = audio_file_write(SF_FORMAT_OGG | SF_FORMAT_VORBIS, RATE, 2, call, N);
    vp_diarization *diarization;
    struct vp_diarize_progress progress = {0};
    enum vp_status status = VP_OK;
    options.channel = VP_CHANNEL_SPLIT;
    assert_int_equal(
        vp_diarization_new(model, NULL, &options, file.bytes, file.n, &diarization, &err), VP_OK);
    while (status == VP_OK && !progress.done) {
        status = vp_diarization_step(diarization, scratch, &progress, &err);
        if (progress.heard_s > 1.0)
            memset(file.bytes, 'x', 4);
    }
    assert_int_equal(status, VP_ERR_AUDIO_UNDECODABLE);
    assert_true(progress.heard_s > 11.0 && progress.fraction <= 0.5 && !progress.done);
    assert_true(vp_diarization_bytes(diarization) > 0);
    assert_null(vp_diarization_result(diarization));
    assert_int_equal(vp_diarization_step(diarization, scratch, &progress, &err), status);
    vp_diarization_free(diarization);
    audio_file_free(&file);
}

static void what_does_not_go_with_it_is_refused(void **state)
{
    (void)state;
    static const struct vp_span span = {1.0, 2.0};
    struct audio_file file = recording(1, call);
    vp_diarization *diarization;
    options.speech = &span;
    options.n_speech = 1;
    assert_int_equal(run(&file, VP_CHANNEL_SPLIT, &diarization), VP_ERR_ARGUMENT);
    assert_null(diarization);
    set_up(NULL);
    assert_int_equal(run(&file, 2, &diarization), VP_ERR_AUDIO_NO_CHANNEL);
    assert_null(diarization);
    assert_int_equal(run(&file, VP_CHANNEL_SPLIT, &diarization),
                     VP_OK); /* one channel is split, too */
    vp_diarization_free(diarization);
    audio_file_free(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_channel_is_heard_by_itself, set_up),
        cmocka_unit_test_setup(rttm_says_which_channel, set_up),
        cmocka_unit_test_setup(silence_in_one_channel_is_no_silence, set_up),
        cmocka_unit_test_setup(numbers_of_speakers_are_of_each_channel, set_up),
        cmocka_unit_test_setup(durations_count_together, set_up),
        cmocka_unit_test_setup(a_next_channel_that_cannot_be_opened_is_an_error, set_up),
        cmocka_unit_test_setup(what_does_not_go_with_it_is_refused, set_up),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
