/*
 * The second pass with the model and the net in the box: against a twin that has the whole
 * recording at hand and pools it by plain loops in double; what it leaves out, and bytes that are
 * not those of the first pass. And embeddings of statistics.
 */
#include "unit.h"

#include <math.h>
#include <sndfile.h>

#include "audio/mono.h"
#include "audio/sniff.h"
#include "audio_file.h"
#include "diarize/target/target_pass.h"
#include "diarize/target/target_turns.h"
#include "naive_net.h"
#include "naive_target_pass.h"
#include "voice/scratch.h"

#define MODEL      "models/voiceprint.safetensors"
#define BAR        5e-5 /* of a probability */
#define MOST_TRUNK 300u
#define MOST       (MOST_TRUNK * 8 * 160 + 400) /* samples */
#define N_VOICES   3u
#define N_ROWS     2560u

static vp_model *model;
static vp_scratch *scratches[2];
static struct tsvad *tsvad;
static float *directions; /* [N_VOICES, dim] */
static float samples[MOST];
static struct segments segments;
static struct vp_err err;

/* ---- recordings ----------------------------------------------------------------------------- */

/* A buzz of another pitch and other formants for each voice. */
static void buzz(size_t voice, float *out, size_t n)
{
    static const double rates_hz[N_VOICES] = {16000.0, 10000.0, 23000.0};
    audio_file_buzz(out, n, rates_hz[voice]);
}

static size_t samples_of(size_t n_frames)
{
    const size_t n = (n_frames - 1) * 160 + 400 + 37; /* and some that make no frame */
    assert_true(n <= MOST);
    return n;
}

static struct audio_file write_wav(size_t n)
{
    return audio_file_write(SF_FORMAT_WAV | SF_FORMAT_FLOAT, 16000, 1, samples, n);
}

static void speech(size_t first, size_t end)
{
    const struct segment segment = {first, end, (double)first / 100.0, (double)end / 100.0};
    assert_int_equal(segments_add(&segments, &segment, NULL), VP_OK);
}

static int forget_speech(void **state)
{
    (void)state;
    segments_clear(&segments);
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    struct vp_limits limits;
    vp_limits_default(&limits);
    limits.max_duration_s = TARGET_PASS_SCRATCH_S;
    if (vp_model_open(MODEL, VP_KERNEL_AUTO, &model, &err) != VP_OK ||
        tsvad_new(NULL, 0, &tsvad, &err) != VP_OK)
        return -1;
    for (size_t i = 0; i < 2; i++)
        if (vp_scratch_new(model, &limits, &scratches[i], &err) != VP_OK)
            return -1;
    directions = calloc(N_VOICES * model->info.dim, sizeof *directions);
    if (directions == NULL)
        return -1;
    for (size_t v = 0; v < N_VOICES; v++) {
        struct vp_clip_info info;
        double norm;
        float *direction = directions + v * model->info.dim;
        buzz(v, samples, 48000);
        if (vp_clip_set_samples(scratches[0], samples, 48000, &info, &err) != VP_OK ||
            vp_clip_fbank(scratches[0], NULL, NULL, &err) != VP_OK ||
            vp_clip_embed(scratches[0], direction, &norm, &err) != VP_OK ||
            vp_embedding_normalize(direction, model->info.dim, &norm, &err) != VP_OK)
            return -1;
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(directions);
    for (size_t i = 0; i < 2; i++)
        vp_scratch_free(scratches[i]);
    tsvad_free(tsvad);
    vp_model_free(model);
    return 0;
}

static float *floats(size_t n)
{
    float *values = calloc(n, sizeof *values);
    assert_non_null(values);
    return values;
}

/* Of samples [n], all of it. */
static struct naive_target_pass make_twin(size_t n, size_t n_voices)
{
    return naive_track(scratches[1], tsvad, samples, n, directions, n_voices);
}

/* ---- tracking ------------------------------------------------------------------------------- */

/* Tracks file, which the first hearing found to have n_frames. *out is owned (free), [*n_parts,
 * n_voices], NULL after an error. */
static enum vp_status track(const struct audio_file *file, size_t n_frames, size_t n_voices,
                            double max_duration_s, float **out, size_t *n_parts)
{
    struct container container;
    struct target_pass *tracking;
    float *probabilities = naive_detect(scratches[1], samples, samples_of(n_frames));
    const struct target_pass_known known = {.max_duration_s = max_duration_s,
                                            .channel = MONO_MEAN,
                                            .n_frames = n_frames,
                                            .probabilities = probabilities,
                                            .segments = &segments,
                                            .directions = directions,
                                            .n_voices = n_voices};
    bool done = false;
    double progress = 0.0;
    *out = NULL;
    assert_int_equal(sniff_container((struct bytes){file->bytes, file->n}, &container, &err),
                     VP_OK);
    enum vp_status status = target_pass_new(model, tsvad, &container, &known, &tracking, &err);
    free(probabilities);
    for (size_t i = 0; status == VP_OK && !done; i++) {
        status = target_pass_step(tracking, scratches[i % 2], &done, &err);
        const double now = target_pass_progress(tracking);
        assert_true(now >= progress && now <= 1.0);
        progress = now;
    }
    if (status == VP_OK) {
        const float *found = target_pass_probabilities(tracking, n_parts);
        assert_int_equal(*n_parts, (n_frames + 7) / 8 * 4);
        assert_true(progress == 1.0);
        assert_true(target_pass_bytes(tracking) > *n_parts * n_voices * sizeof *found);
        *out = floats(*n_parts * n_voices);
        memcpy(*out, found, *n_parts * n_voices * sizeof *found);
    }
    target_pass_free(tracking);
    return status;
}

static float *track_well(struct audio_file file, size_t n_frames, size_t n_voices)
{
    float *found;
    size_t n_parts;
    const enum vp_status status = track(&file, n_frames, n_voices, 60.0, &found, &n_parts);
    if (status != VP_OK)
        fail_msg("%s: %s", vp_status_name(status), err.message);
    audio_file_free(&file);
    return found;
}

/* Is the part's probability asked for? */
static bool asked(size_t part)
{
    const double start_s = 0.02 * (double)part, end_s = start_s + 0.02;
    for (size_t i = 0; i < segments.n; i++)
        if (end_s > segments.list[i].start_s - TARGET_TURNS_MARGIN_S &&
            start_s < segments.list[i].end_s + TARGET_TURNS_MARGIN_S)
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
        const size_t n = samples_of(cases[i].n_frames), n_voices = cases[i].n_voices;
        double low = 1.0, high = 0.0;
        audio_file_talk(samples, n);
        segments_clear(&segments);
        speech(0, cases[i].n_frames);
        struct naive_target_pass twin = make_twin(n, n_voices);
        assert_int_equal(twin.n_frames, cases[i].n_frames);
        float *found = track_well(write_wav(n), twin.n_frames, n_voices);
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
    const size_t n = samples_of(N_FRAMES);
    audio_file_talk(samples, n);
    speech(0, N_FRAMES);
    struct naive_target_pass twin = make_twin(n, 2);
    struct local_masks masks = turns_of_talk(n);
    const struct local_voices voices = {directions, N_VOICES, model->info.dim};
    struct local_speakers *want, *found;
    assert_int_equal(local_speakers_new(&masks, model->network->resnet, &voices, &want, &err),
                     VP_OK);
    for (size_t i = 0; i < twin.n_trunk; i++)
        assert_int_equal(local_speakers_add(want, i, twin.trunk + i * N_ROWS, &err), VP_OK);
    assert_int_equal(local_speakers_finish(want, &err), VP_OK);
    const unsigned char *of_want = local_speakers_voices(want);
    for (size_t s = 0; s < SEG_N_SPEAKERS; s++) /* all three are heard and known */
        assert_true(of_want[s] != LOCAL_NOBODY);

    struct audio_file file = write_wav(n);
    float *probabilities = naive_detect(scratches[1], samples, n);
    for (int with_net = 0; with_net < 2; with_net++) {
        struct container container;
        struct target_pass *pass;
        bool done = false;
        assert_int_equal(local_speakers_new(&masks, model->network->resnet, &voices, &found, &err),
                         VP_OK);
        const struct target_pass_known known = {.max_duration_s = 60.0,
                                                .channel = MONO_MEAN,
                                                .n_frames = N_FRAMES,
                                                .probabilities = with_net ? probabilities : NULL,
                                                .segments = &segments,
                                                .directions = directions,
                                                .n_voices = 2,
                                                .locals = found};
        assert_int_equal(sniff_container((struct bytes){file.bytes, file.n}, &container, &err),
                         VP_OK);
        assert_int_equal(
            target_pass_new(model, with_net ? tsvad : NULL, &container, &known, &pass, &err),
            VP_OK);
        while (!done)
            assert_int_equal(target_pass_step(pass, scratches[0], &done, &err), VP_OK);
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
    const size_t n = samples_of(N_FRAMES);
    audio_file_talk(samples, n);
    struct naive_target_pass twin = make_twin(n, 2);
    for (size_t i = 0; i < sizeof spans / sizeof spans[0]; i++) {
        segments_clear(&segments);
        speech(spans[i][0][0], spans[i][0][1]);
        speech(spans[i][1][0], spans[i][1][1]);
        float *found = track_well(write_wav(n), N_FRAMES, 2);
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
    const size_t n = samples_of(N_FRAMES);
    double worst = 0.0;
    audio_file_talk(samples, n);
    float *found = track_well(write_wav(n), N_FRAMES, 2);
    speech(0, N_FRAMES);
    float *all = track_well(write_wav(n), N_FRAMES, 2);
    for (size_t i = 0; i < N_VALUES; i++)
        worst = fmax(worst, fabs((double)found[i] - (double)all[i]));
    assert_true(worst > 0.01);
    free(all);
    free(found);
}

/* ---- bytes ---------------------------------------------------------------------------------- */

static void the_same_bytes_give_the_same_bits(void **state)
{
    (void)state;
    enum { N_FRAMES = 577 };
    static float twice[2 * (N_FRAMES * 160 + 400)];
    const size_t n = samples_of(N_FRAMES), n_values = (N_FRAMES + 7) / 8 * 4 * 2;
    audio_file_talk(samples, n);
    speech(0, N_FRAMES);
    float *found = track_well(write_wav(n), N_FRAMES, 2);
    float *again = track_well(write_wav(n), N_FRAMES, 2);
    assert_memory_equal(found, again, n_values * sizeof *found);
    free(again);
    for (size_t i = 0; i < 2 * n; i++)
        twice[i] = samples[i / 2];
    again = track_well(audio_file_write(SF_FORMAT_WAV | SF_FORMAT_FLOAT, 16000, 2, twice, n),
                       N_FRAMES, 2);
    assert_memory_equal(found, again, n_values * sizeof *found); /* probed, then heard */
    free(again);
    free(found);
}

static void what_came_behind_is_left_out(void **state)
{
    (void)state;
    enum { BEFORE = 300, NOW = 555, N_VALUES = (BEFORE + 7) / 8 * 4 * 2 };
    speech(0, BEFORE);
    audio_file_talk(samples, samples_of(NOW));
    float *found = track_well(write_wav(samples_of(BEFORE)), BEFORE, 2);
    float *grown = track_well(write_wav(samples_of(NOW)), BEFORE, 2);
    assert_memory_equal(grown, found, N_VALUES * sizeof *found);
    free(grown);
    free(found);
}

static void bytes_that_changed_meanwhile_do_no_harm(void **state)
{
    (void)state;
    static const size_t now[] = {1, 9, 511, 1098};
    static const size_t before[] = {100, 600};
    speech(20, 300);
    speech(400, 1098);
    for (size_t i = 0; i < sizeof now / sizeof now[0]; i++)
        for (size_t k = 0; k < sizeof before / sizeof before[0]; k++) {
            audio_file_talk(samples, samples_of(now[i]));
            float *found = track_well(write_wav(samples_of(now[i])), before[k], 2);
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
    audio_file_talk(samples, samples_of(518));
    speech(0, 518);
    struct audio_file file = write_wav(samples_of(518));
    assert_int_equal(track(&file, 518, 2, 3.0, &found, &n_parts), VP_ERR_AUDIO_TOO_LONG);
    assert_null(found);
    audio_file_free(&file);
    file = audio_file_write(SF_FORMAT_FLAC | SF_FORMAT_PCM_16, 16000, 1, samples, samples_of(518));
    memset(file.bytes + file.n / 2, 0xff, file.n / 4); /* damaged since */
    const enum vp_status status = track(&file, 518, 2, 60.0, &found, &n_parts);
    assert_true(status == VP_OK || status == VP_ERR_AUDIO_UNDECODABLE);
    free(found);
    audio_file_free(&file);
    target_pass_free(NULL);
}

/* ---- embeddings of statistics --------------------------------------------------------------- */

static float pooled[2 * N_ROWS];

static void on_tap(void *ctx, const char *stage, size_t n_channels, size_t n_freq, size_t t,
                   const float *frame)
{
    (void)ctx;
    (void)t;
    if (strcmp(stage, "pooled") == 0) {
        assert_int_equal(n_channels * n_freq, 2 * N_ROWS);
        memcpy(pooled, frame, sizeof pooled);
    }
}

/* The statistics of one clip give its embedding, also as one of several. */
static void statistics_give_the_embedding(void **state)
{
    (void)state;
    enum { N = 7, AT = 4 };
    const size_t dim = model->info.dim, n = fbank_n_frames(40000);
    float *stats = floats(N * 2 * N_ROWS), *wanted = floats(dim), *found = floats(N * dim);
    float *features = floats(n * 80);
    double largest = 0.0;
    uint64_t seed = 1;
    audio_file_talk(samples, 40000);
    fbank_compute(scratches[0]->fbank, samples, 40000, features);
    assert_int_equal(
        resnet_forward(scratches[0]->state->resnet, features, n, wanted, on_tap, NULL, &err),
        VP_OK);
    for (size_t d = 0; d < dim; d++)
        largest = fmax(largest, fabs((double)wanted[d]));
    for (size_t i = 0; i < N * 2 * N_ROWS; i++)
        stats[i] = (float)naive_random(&seed);
    memcpy(stats + AT * 2 * N_ROWS, pooled, sizeof pooled);
    resnet_embed_stats(model->network->resnet, stats, N, found);
    for (size_t d = 0; d < dim; d++)
        assert_true(fabs((double)found[AT * dim + d] - (double)wanted[d]) <= 1e-5 * largest);
    resnet_embed_stats(model->network->resnet, pooled, 1, found);
    for (size_t d = 0; d < dim; d++)
        assert_true(fabs((double)found[d] - (double)wanted[d]) <= 1e-5 * largest);
    free(features);
    free(found);
    free(wanted);
    free(stats);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(agrees_with_the_twin, forget_speech),
        cmocka_unit_test_teardown(local_speakers_get_the_whole_trunk, forget_speech),
        cmocka_unit_test_teardown(what_is_left_out_changes_nothing_nearby, forget_speech),
        cmocka_unit_test_teardown(without_speech_nothing_is_computed, forget_speech),
        cmocka_unit_test_teardown(the_same_bytes_give_the_same_bits, forget_speech),
        cmocka_unit_test_teardown(what_came_behind_is_left_out, forget_speech),
        cmocka_unit_test_teardown(bytes_that_changed_meanwhile_do_no_harm, forget_speech),
        cmocka_unit_test_teardown(bad_bytes_are_refused_as_in_the_first_hearing, forget_speech),
        cmocka_unit_test(statistics_give_the_embedding),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
