/*
 * Pauses do not count as voice: which frames are embedded, judged by a reference that leaves frames
 * out of the features by hand, takes the mean in double and runs the network on the rest. On both
 * kinds of network, because CAM++ has a front end of its own beside the detector's.
 *
 * The recordings are a buzz that the detector takes for speech, behind faint noise.
 */
#include "unit.h"

#include <math.h>

#include "audio_file.h"
#include "features/fbank.h"
#include "naive_net.h"
#include "network/network.h"
#include "speech/speech.h"
#include "speech/vad.h"
#include "voice/scratch.h"

#define RATE_HZ     16000
#define NOISE       1e-3 /* -60 dBFS */
#define MOST_S      30
#define MOST_FRAMES (MOST_S * 100u)
#define MOST_DIM    512u
#define N_MELS      VAD_N_MELS

static const char *const nets[] = {"tests/golden/models/small.safetensors",
                                   "tests/golden/campplus/net.safetensors"};
static vp_model *model;
static vp_scratch *scratch;
static float samples[MOST_S * RATE_HZ];
static struct vp_clip_info info;
static struct vp_err err;

/* The tests run once for each network. */
static int open_net(const char *path)
{
    struct vp_limits limits;
    vp_limits_default(&limits);
    limits.min_duration_s = 0.105;
    limits.max_duration_s = MOST_S;
    return vp_model_open(path, VP_KERNEL_AUTO, &model, &err) != VP_OK ||
           vp_scratch_new(model, &limits, &scratch, &err) != VP_OK;
}

static int open_resnet(void **state)
{
    (void)state;
    return open_net(nets[0]);
}

static int open_campplus(void **state)
{
    (void)state;
    return open_net(nets[1]);
}

static int close_net(void **state)
{
    (void)state;
    vp_scratch_free(scratch);
    vp_model_free(model);
    return 0;
}

/* pause_s of faint noise, then speech_s of buzz over it; returns the number of samples. */
static size_t make_clip(double pause_s, double speech_s)
{
    static float buzz[MOST_S * RATE_HZ];
    const size_t n_pause = (size_t)(pause_s * RATE_HZ), n_buzz = (size_t)(speech_s * RATE_HZ);
    assert_true(n_pause + n_buzz <= sizeof samples / sizeof samples[0]);
    uint64_t seed = 1;
    for (size_t i = 0; i < n_pause + n_buzz; i++)
        samples[i] = (float)(NOISE * naive_random(&seed));
    audio_file_buzz(buzz, n_buzz, 10000.0);
    for (size_t i = 0; i < n_buzz; i++)
        samples[n_pause + i] += buzz[i];
    return n_pause + n_buzz;
}

/* The same with a pause behind it too. */
static size_t append_pause(size_t n, double pause_s)
{
    const size_t n_all = n + (size_t)(pause_s * RATE_HZ);
    uint64_t seed = 2;
    assert_true(n_all <= sizeof samples / sizeof samples[0]);
    for (size_t i = n; i < n_all; i++)
        samples[i] = (float)(NOISE * naive_random(&seed));
    return n_all;
}

static void set_clip(size_t n_samples)
{
    if (vp_clip_set_samples(scratch, samples, n_samples, &info, &err) != VP_OK)
        fail_msg("%s", err.message);
}

static void listen(bool speech_only)
{
    if (vp_clip_speech(scratch, speech_only, &info, &err) != VP_OK)
        fail_msg("%s", err.message);
}

/* Features and embedding of the clip in the scratch; returns the number of frames embedded. */
static size_t embed(float *embedding)
{
    size_t n_frames;
    double norm;
    if (vp_clip_fbank(scratch, NULL, &n_frames, &err) != VP_OK ||
        vp_clip_embed(scratch, embedding, &norm, &err) != VP_OK)
        fail_msg("%s", err.message);
    return n_frames;
}

/* As if nobody had listened. */
static void embed_plainly(size_t n_samples, float *embedding)
{
    set_clip(n_samples);
    embed(embedding);
}

/* The same as vp_clip_speech decides, from the detector's parts on the whole clip at once. */
static size_t decide(size_t n_samples, unsigned char *decided)
{
    static float features[MOST_FRAMES * N_MELS], probabilities[MOST_FRAMES + 1];
    struct fbank_plan *plan;
    struct fbank_work *work;
    struct vad *vad;
    struct speech speech;
    assert_int_equal(fbank_plan_new(N_MELS, FRONT_END_HAMMING, model->info.kernel, &plan, &err),
                     VP_OK);
    assert_int_equal(fbank_work_new(plan, &work, &err), VP_OK);
    assert_int_equal(vad_new(NULL, 0, VP_KERNEL_BLAS, &vad, &err), VP_OK);
    const size_t n_frames = fbank_log_mel(work, samples, n_samples, features);
    size_t n = vad_push(vad, features, n_frames, probabilities);
    vad_flush(vad, probabilities + n);
    speech_start(&speech, &speech_default);
    n = speech_push(&speech, probabilities, n_frames, decided);
    speech_finish(&speech, decided + n);
    vad_free(vad);
    fbank_work_free(work);
    fbank_plan_free(plan);
    return n_frames;
}

/* Whether frame t is within half a second of one that is decided to be speech. */
static bool is_near_speech(const unsigned char *decided, size_t n_frames, size_t t)
{
    for (size_t i = 0; i < n_frames; i++)
        if (decided[i] && i <= t + 50 && t <= i + 50)
            return true;
    return false;
}

/* The embedding of the frames at and near speech alone; returns how many there are. */
static size_t embed_by_hand(size_t n_samples, float *embedding)
{
    static float features[MOST_FRAMES * N_MELS];
    static unsigned char decided[MOST_FRAMES];
    double mean[N_MELS] = {0.0};
    const size_t n_frames = decide(n_samples, decided);
    assert_int_equal(fbank_log_mel(scratch->fbank, samples, n_samples, features), n_frames);
    size_t n_kept = 0;
    for (size_t t = 0; t < n_frames; t++) {
        const bool is_kept = is_near_speech(decided, n_frames, t);
        for (size_t m = 0; is_kept && m < N_MELS; m++)
            features[n_kept * N_MELS + m] = features[t * N_MELS + m];
        n_kept += is_kept;
    }
    for (size_t i = 0; i < n_kept * N_MELS; i++)
        mean[i % N_MELS] += (double)features[i] / (double)n_kept;
    for (size_t i = 0; i < n_kept * N_MELS; i++)
        features[i] = (float)((double)features[i] - mean[i % N_MELS]);
    assert_int_equal(network_forward(scratch->state, features, n_kept, embedding, NULL, NULL, &err),
                     VP_OK);
    return n_kept;
}

static double cosine(const float *a, const float *b)
{
    double ab = 0.0, aa = 0.0, bb = 0.0;
    for (size_t i = 0; i < model->info.dim; i++) {
        ab += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return ab / sqrt(aa * bb);
}

static void pauses_are_left_out_before_the_mean_is_taken(void **state)
{
    (void)state;
    static const double pauses_s[] = {1.5, 4.0, 15.0};
    for (size_t i = 0; i < sizeof pauses_s / sizeof pauses_s[0]; i++) {
        float expected[MOST_DIM], found[MOST_DIM], plain[MOST_DIM];
        const size_t n = append_pause(make_clip(pauses_s[i], 3.0), 1.2);
        set_clip(n);
        const size_t n_kept = embed_by_hand(n, expected);
        embed_plainly(n, plain);
        set_clip(n);
        listen(true);
        assert_int_equal(embed(found), n_kept);
        assert_true(n_kept >= 150 && n_kept < 4 * info.n_frames / 5);
        assert_true(cosine(found, expected) > 0.999999);
        assert_true(cosine(plain, expected) < 0.9999);
        assert_true(fabs(info.embedded_s - info.used_s * (double)n_kept / (double)info.n_frames) <
                    1e-9);
        assert_true(info.speech_s < info.embedded_s && info.embedded_s < info.speech_s + 1.01);
        assert_int_equal(embed(found), n_kept); /* features computed again are the same */
        assert_true(cosine(found, expected) > 0.999999);
    }
}

static void nothing_is_left_out_of_the_next_clip(void **state)
{
    (void)state;
    float embedding[MOST_DIM];
    const size_t n = append_pause(make_clip(4.0, 3.0), 1.2);
    set_clip(n);
    listen(true);
    assert_true(embed(embedding) < info.n_frames);
    set_clip(n); /* to which nobody listens */
    assert_int_equal(embed(embedding), info.n_frames);
}

static void continuous_speech_is_embedded_whole_to_the_bit(void **state)
{
    (void)state;
    static const double pauses_s[] = {0.0, 1.0};
    for (size_t i = 0; i < sizeof pauses_s / sizeof pauses_s[0]; i++) {
        float plain[MOST_DIM], found[MOST_DIM];
        const size_t n = make_clip(pauses_s[i], 6.0), n_bytes = model->info.dim * sizeof(float);
        embed_plainly(n, plain);
        set_clip(n);
        listen(true);
        assert_true(info.speech_s >= 0.8 * info.used_s);
        if (pauses_s[i] > 0.0) /* some frames are none, and stay */
            assert_true(info.speech_s < info.used_s);
        assert_int_equal(embed(found), info.n_frames);
        assert_memory_equal(found, plain, n_bytes);
        assert_true(info.embedded_s == info.used_s);
        assert_false(info.warnings & (VP_WARN_LOW_SPEECH | VP_WARN_NO_SPEECH));
    }
}

static void who_wants_pauses_gets_the_plain_result_and_the_facts(void **state)
{
    (void)state;
    float plain[MOST_DIM], found[MOST_DIM];
    const size_t n = make_clip(4.0, 3.0);
    embed_plainly(n, plain);
    set_clip(n);
    listen(false);
    assert_int_equal(embed(found), info.n_frames);
    assert_memory_equal(found, plain, model->info.dim * sizeof(float));
    assert_true(info.embedded_s == info.used_s && info.speech_s > 1.5 && info.speech_s < 4.5);
}

static void a_clip_without_speech_is_embedded_whole_with_both_warnings(void **state)
{
    (void)state;
    float plain[MOST_DIM], found[MOST_DIM];
    const size_t n = make_clip(5.0, 0.0);
    for (size_t i = 0; i < n; i++)
        samples[i] *= 30.0F; /* no silence */
    embed_plainly(n, plain);
    set_clip(n);
    listen(true);
    assert_int_equal(embed(found), info.n_frames);
    assert_memory_equal(found, plain, model->info.dim * sizeof(float));
    assert_true(info.speech_s == 0.0 && info.embedded_s == info.used_s);
    assert_int_equal(info.warnings & (VP_WARN_LOW_SPEECH | VP_WARN_NO_SPEECH),
                     VP_WARN_LOW_SPEECH | VP_WARN_NO_SPEECH);
}

static void low_speech_is_below_two_seconds_or_a_fifth(void **state)
{
    (void)state;
    static const struct {
        double pause_s, speech_s;
        bool is_low;
    } cases[] = {{0.0, 1.6, true}, {0.0, 2.4, false}, {3.0, 2.6, false}, {25.0, 3.5, true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        set_clip(make_clip(cases[i].pause_s, cases[i].speech_s));
        listen(true);
        if (((info.warnings & VP_WARN_LOW_SPEECH) != 0) != cases[i].is_low)
            fail_msg("%.1f s of speech, %.1f of %.1f s heard: low_speech %s", cases[i].speech_s,
                     info.speech_s, info.used_s, cases[i].is_low ? "is missing" : "is not due");
        assert_false(info.warnings & VP_WARN_NO_SPEECH);
    }
}

static void nothing_stays_for_the_next_clip(void **state)
{
    (void)state;
    float plain[MOST_DIM], found[MOST_DIM];
    struct vp_self_test result;
    set_clip(make_clip(4.0, 3.0));
    listen(true);
    const size_t n = make_clip(1.5, 2.0);
    embed_plainly(n, plain); /* nobody listens to this one */
    set_clip(make_clip(4.0, 3.0));
    listen(true);
    assert_true(embed(found) < info.n_frames);
    set_clip(make_clip(1.5, 2.0));
    assert_int_equal(embed(found), info.n_frames);
    assert_memory_equal(found, plain, model->info.dim * sizeof(float));
    listen(true);
    assert_int_equal(vp_model_self_test(scratch, &result, &err), VP_OK);
}

static void a_clip_must_be_there(void **state)
{
    (void)state;
    assert_int_equal(vp_clip_set_samples(scratch, samples, 0, &info, &err), VP_ERR_AUDIO_EMPTY);
    assert_int_equal(vp_clip_speech(scratch, true, &info, &err), VP_ERR_ARGUMENT);
}

/* Shorter than the shortest run that counts in a longer clip. */
static void the_shortest_clips_can_be_speech(void **state)
{
    (void)state;
    const size_t n_frames = 12, n_samples = 400 + (n_frames - 1) * 160;
    make_clip(0.0, 3.0);
    memmove(samples, samples + RATE_HZ, n_samples * sizeof *samples);
    set_clip(n_samples);
    listen(true);
    assert_false(info.warnings & VP_WARN_NO_SPEECH);
    assert_true(info.warnings & VP_WARN_LOW_SPEECH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pauses_are_left_out_before_the_mean_is_taken),
        cmocka_unit_test(nothing_is_left_out_of_the_next_clip),
        cmocka_unit_test(continuous_speech_is_embedded_whole_to_the_bit),
        cmocka_unit_test(who_wants_pauses_gets_the_plain_result_and_the_facts),
        cmocka_unit_test(a_clip_without_speech_is_embedded_whole_with_both_warnings),
        cmocka_unit_test(low_speech_is_below_two_seconds_or_a_fifth),
        cmocka_unit_test(nothing_stays_for_the_next_clip),
        cmocka_unit_test(a_clip_must_be_there),
        cmocka_unit_test(the_shortest_clips_can_be_speech),
    };
    const int failed = cmocka_run_group_tests_name("resnet", tests, open_resnet, close_net);
    return failed + cmocka_run_group_tests_name("campplus", tests, open_campplus, close_net);
}
