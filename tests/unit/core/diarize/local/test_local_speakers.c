/*
 * Behind the segmentation network: voices pooled under their masks, tracks through windows,
 * speakers, votes on frames. Windows, masks and embeddings are made here.
 */
#include "unit.h"

#include "diarize/local/assembly.h"
#include "diarize/local/company.h"
#include "diarize/local/crowd.h"
#include "naive_net.h"
#include "voice/model.h"

#include <math.h>

enum { DIM = 8, MOST_WINDOWS = 16 };
#define FRAME_S (SEG_FRAME_STEP / 16000.0)

/* ---- invented conversations --------------------------------------------------------------- */

/* Somebody speaks; person is also the axis of the voice. */
struct speech {
    unsigned person;
    double start_s, end_s;
};

/* Windows as a perfect network would hear them, local numbers turned by window. noise: how far
 * embeddings are from their axis. */
static void hear(struct local_speakers *voices, const struct speech *speech, size_t n,
                 size_t n_windows, double noise)
{
    uint64_t seed = 5;
    *voices = (struct local_speakers){.dim = DIM, .n_windows = n_windows};
    voices->masks = calloc(n_windows, SEG_WINDOW_FRAMES);
    voices->list = calloc(n_windows * SEG_N_SPEAKERS, sizeof *voices->list);
    voices->embeddings = calloc(n_windows * SEG_N_SPEAKERS, DIM * sizeof(float));
    for (size_t w = 0; w < n_windows; w++) {
        unsigned char *masks = voices->masks + w * SEG_WINDOW_FRAMES;
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < SEG_WINDOW_FRAMES; k++) {
                const double at_s =
                    (double)(w * LOCAL_SPEAKERS_HOP + SEG_FRAME_CENTRE + k * SEG_FRAME_STEP) /
                    16000;
                if (speech[i].start_s <= at_s && at_s < speech[i].end_s)
                    masks[k] |= (unsigned char)(1u << (speech[i].person + w) % SEG_N_SPEAKERS);
            }
        for (unsigned local = 0; local < SEG_N_SPEAKERS; local++) {
            struct local_speaker voice = {.window = w, .local = local};
            bool heard = false;
            for (size_t k = 0; k < SEG_WINDOW_FRAMES; k++) {
                heard |= (masks[k] & 1u << local) != 0;
                voice.n_alone += masks[k] == 1u << local;
            }
            if (!heard)
                continue;
            float *embedding = voices->embeddings + voices->n_embeddings * DIM;
            const unsigned person =
                (local + SEG_N_SPEAKERS * MOST_WINDOWS - (unsigned)w) % SEG_N_SPEAKERS;
            double norm;
            for (size_t d = 0; d < DIM; d++)
                embedding[d] = (float)((d == person) + noise * (double)naive_random(&seed));
            assert_int_equal(vp_embedding_normalize(embedding, DIM, &norm, NULL), VP_OK);
            voice.embedding = voices->n_embeddings++;
            voices->list[voices->n++] = voice;
        }
    }
}

static struct answer conclude(const struct local_speakers *voices, double duration_s, unsigned num,
                              double threshold)
{
    struct answer answer = {.result = {.engine = VP_DIARIZE_SEGMENTATION, .threshold = threshold}};
    struct vp_diarize_options options;
    struct vp_err err = {0};
    vp_diarize_options_default(&options);
    options.min_on_s = options.min_off_s = 0;
    options.num_speakers = num;
    answer.result.clip.duration_s = duration_s;
    if (crowd_conclude(voices, (size_t)(duration_s * 16000), &options, NULL, 0, &answer, &err) !=
        VP_OK)
        fail_msg("%s", err.message);
    return answer;
}

/* Is there a turn from start to end, half a frame of the recording and a window's rounding off? */
static bool has_turn(const struct answer *answer, double start_s, double end_s)
{
    for (size_t i = 0; i < answer->result.n_segments; i++) {
        const struct vp_turn *turn = &answer->result.segments[i];
        if (fabs(turn->start_s - start_s) < 1.2 * FRAME_S &&
            fabs(turn->end_s - end_s) < 1.2 * FRAME_S)
            return true;
    }
    return false;
}

/* ---- windows, tracks, speakers ------------------------------------------------------------ */

static void windows_cover_the_recording_and_no_more(void **state)
{
    (void)state;
    static const size_t cases[][2] = {{1, 1},      {4800, 1},    {160000, 1}, {160001, 1},
                                      {160990, 1}, {160991, 2},  {176000, 2}, {176001, 2},
                                      {176991, 3}, {480000, 21}, {480001, 21}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(crowd_n_windows(cases[i][0]), cases[i][1]);
}

static void two_take_turns_and_overlap(void **state)
{
    (void)state;
    static const struct speech speech[] = {
        {0, 0.0, 4.0}, {1, 5.0, 12.0}, {0, 10.0, 16.5}, {1, 20.5, 23.5}};
    struct local_speakers voices;
    hear(&voices, speech, 4, 15, 0.2);
    struct answer answer = conclude(&voices, 24, 0, 0.4);
    assert_int_equal(answer.result.n_speakers, 2);
    assert_int_equal(answer.result.n_segments, 4);
    for (size_t i = 0; i < 4; i++)
        assert_true(has_turn(&answer, speech[i].start_s, speech[i].end_s));
    assert_true(fabs(answer.result.overlap_s - 2) < 2 * FRAME_S);
    assert_int_equal(answer.result.warnings & VP_DIARIZE_WARN_NO_OVERLAP, 0);
    for (size_t i = 1; i < answer.result.n_exclusive; i++)
        assert_true(answer.result.exclusive[i].start_s >= answer.result.exclusive[i - 1].end_s);
    answer_clear(&answer);
    local_speakers_clear(&voices);
}

/* Voices that nothing but the masks tells apart: they are heard at the same time. */
static void companions_are_two_people_however_alike(void **state)
{
    (void)state;
    static const struct speech speech[] = {{0, 0.0, 8.0}, {1, 6.0, 14.0}};
    struct local_speakers voices;
    hear(&voices, speech, 2, 5, 0);
    for (size_t e = 0; e < voices.n_embeddings; e++)
        for (size_t d = 0; d < DIM; d++)
            voices.embeddings[e * DIM + d] = d == 0;
    struct answer answer = conclude(&voices, 14, 0, 0.4);
    assert_int_equal(answer.result.n_speakers, 2);
    assert_true(has_turn(&answer, 0, 8) && has_turn(&answer, 6, 14));
    answer_clear(&answer);
    answer = conclude(&voices, 14, 1, 0.4); /* unless one was asked for */
    assert_int_equal(answer.result.n_speakers, 1);
    answer_clear(&answer);
    local_speakers_clear(&voices);
}

static void thresholds_and_numbers_are_honoured(void **state)
{
    (void)state;
    static const struct speech speech[] = {{0, 0, 3}, {1, 13, 15}, {2, 25.5, 29.5}};
    struct local_speakers voices; /* never in one window: only the embeddings tell */
    hear(&voices, speech, 3, MOST_WINDOWS, 0.1);
    voices.n_windows = MOST_WINDOWS;
    static const struct {
        double threshold;
        unsigned num;
        size_t expected;
    } cases[] = {{0.5, 0, 2}, {-0.9, 0, 1}, {0.5, 1, 1}, {0.5, 2, 2}};
    for (size_t i = 0; i < 4; i++) {
        struct answer answer = conclude(&voices, 25, cases[i].num, cases[i].threshold);
        assert_int_equal(answer.result.n_speakers, cases[i].expected);
        answer_clear(&answer);
    }
    local_speakers_clear(&voices);
}

static void tracks_follow_the_masks(void **state)
{
    (void)state;
    static const struct speech speech[] = {{0, 0, 12}, {1, 11, 20}, {2, 19, 24}};
    struct local_speakers voices;
    struct tracks tracks;
    hear(&voices, speech, 3, 15, 0.1);
    assert_int_equal(tracks_make(&voices, &tracks, NULL), VP_OK);
    assert_int_equal(tracks.n, 3);
    for (size_t i = 0; i < voices.n; i++) {
        const struct local_speaker *v = &voices.list[i];
        assert_int_equal(tracks.of_voice[i],
                         (v->local + SEG_N_SPEAKERS * MOST_WINDOWS - v->window) % SEG_N_SPEAKERS);
    }
    tracks_clear(&tracks);
    local_speakers_clear(&voices);
}

/* ---- assignment and votes ----------------------------------------------------------------- */

static void a_window_is_mapped_one_to_one(void **state)
{
    (void)state;
    static const struct speech speech[] = {{0, 0, 5}, {1, 3, 10}};
    struct local_speakers voices;
    struct tracks tracks;
    size_t speakers[SEG_N_SPEAKERS];
    double margins[SEG_N_SPEAKERS];
    hear(&voices, speech, 2, 1, 0);
    /* both nearest to speaker 0; the first by far */
    const float first[DIM] = {0.9F, 0.1F}, second[DIM] = {0.8F, 0.6F};
    memcpy(voices.embeddings, first, sizeof first);
    memcpy(voices.embeddings + DIM, second, sizeof second);
    const float directions[2 * DIM] = {[0] = 1, [DIM + 1] = 1};
    assert_int_equal(tracks_make(&voices, &tracks, NULL), VP_OK);
    const size_t likely[2] = {LOCAL_SPEAKERS_NONE, LOCAL_SPEAKERS_NONE};
    assert_int_equal(
        assembly_assign(&voices, &tracks, likely, directions, 2, speakers, margins, NULL), VP_OK);
    assert_int_equal(speakers[0], 0);
    assert_int_equal(speakers[1], 1);
    /* more voices than speakers: the surplus goes to the nearest */
    assert_int_equal(
        assembly_assign(&voices, &tracks, likely, directions, 1, speakers, margins, NULL), VP_OK);
    assert_int_equal(speakers[0], 0);
    assert_int_equal(speakers[1], 0);
    tracks_clear(&tracks);
    local_speakers_clear(&voices);
}

/* Three windows hear a frame; how many of them must hear somebody? Half, at least. */
static void counts_are_means_rounded_half_up(void **state)
{
    (void)state;
    for (size_t n_hear = 0; n_hear <= 4; n_hear++) {
        struct local_speakers voices;
        static const struct speech speech[] = {{0, 3.0, 10.0}};
        size_t speakers[4] = {0};
        double margins[4] = {0};
        struct turns turns = {0};
        hear(&voices, speech, 1, 4, 0);
        assert_int_equal(voices.n, 4);
        for (size_t w = n_hear; w < 4; w++) /* these hear nobody from 5 to 6 s */
            for (size_t k = 0; k < SEG_WINDOW_FRAMES; k++) {
                const double at_s = (double)w + (495.0 + 270.0 * (double)k) / 16000;
                if (at_s >= 5 && at_s < 6)
                    voices.masks[w * SEG_WINDOW_FRAMES + k] = 0;
            }
        assert_int_equal(assembly_turns(&voices, speakers, margins, 1, 208000, &turns, NULL),
                         VP_OK);
        assert_int_equal(turns.n, n_hear >= 2 ? 1 : 2);
        turns_clear(&turns);
        local_speakers_clear(&voices);
    }
}

static void the_unknown_are_counted_and_do_not_vote(void **state)
{
    (void)state;
    static const struct speech speech[] = {{0, 2, 8}, {1, 6, 9}};
    struct local_speakers voices;
    hear(&voices, speech, 2, 1, 0);
    voices.list[1].embedding = LOCAL_SPEAKERS_NONE;
    size_t speakers[2];
    double margins[2];
    const float direction[DIM] = {1};
    struct turns turns = {0};
    struct tracks tracks;
    const size_t likely[2] = {0, 0};
    assert_int_equal(tracks_make(&voices, &tracks, NULL), VP_OK);
    assert_int_equal(
        assembly_assign(&voices, &tracks, likely, direction, 1, speakers, margins, NULL), VP_OK);
    tracks_clear(&tracks);
    assert_int_equal(speakers[0], 0);
    assert_true(speakers[1] == LOCAL_SPEAKERS_NONE);
    assert_int_equal(assembly_turns(&voices, speakers, margins, 1, 160000, &turns, NULL), VP_OK);
    assert_int_equal(turns.n, 1);
    assert_true(fabs(turns.list[0].end_s - 8) < FRAME_S);
    turns_clear(&turns);
    local_speakers_clear(&voices);
}

static void nobody_is_an_answer(void **state)
{
    (void)state;
    struct local_speakers voices;
    hear(&voices, NULL, 0, 3, 0);
    struct answer answer = conclude(&voices, 12, 0, 0.4);
    assert_int_equal(answer.result.n_segments, 0);
    assert_true(answer.result.warnings & VP_DIARIZE_WARN_NO_SPEECH);
    answer_clear(&answer);
    local_speakers_clear(&voices);
}

/* ---- pooling ------------------------------------------------------------------------------ */

/* The embedding of a voice is the trunk pooled under the nearest masks, those alone if enough. */
static void a_voice_is_pooled_under_its_own_mask(void **state)
{
    (void)state;
    vp_model *model;
    vp_scratch *scratch;
    struct vp_limits limits;
    struct local_speakers voices = {0};
    unsigned char masks[SEG_WINDOW_FRAMES] = {0};
    float *samples = calloc(SEG_WINDOW_SAMPLES, sizeof *samples);
    uint64_t seed = 11;
    assert_non_null(samples);
    vp_limits_default(&limits);
    assert_int_equal(
        vp_model_open("tests/golden/models/small.safetensors", VP_KERNEL_AUTO, &model, NULL),
        VP_OK);
    assert_int_equal(vp_scratch_new(model, &limits, &scratch, NULL), VP_OK);
    for (size_t i = 0; i < SEG_WINDOW_SAMPLES; i++) /* a sound that changes all the time */
        samples[i] = 0.1F * (float)naive_random(&seed) +
                     0.3F * (float)sin(0.00001 * (double)i * (double)(i % 40000));
    for (size_t k = 0; k < SEG_WINDOW_FRAMES; k++)
        masks[k] = (unsigned char)((k >= 100 && k < 301) | (k >= 250 && k < 290) << 1);
    assert_int_equal(local_speakers_init(&voices, model, NULL), VP_OK);
    assert_int_equal(local_speakers_add(&voices, scratch, samples, masks, NULL), VP_OK);
    assert_int_equal(voices.n, 2);
    assert_int_equal(voices.list[0].n_alone, 150 + 11);
    assert_int_equal(voices.list[1].n_alone, 0);

    const size_t n_rows = resnet_trunk_rows(model->resnet), dim = model->info.dim;
    const size_t n = fbank_compute(scratch->fbank, samples, SEG_WINDOW_SAMPLES, scratch->features);
    const size_t n_trunk = resnet_trunk_frames(model->resnet, n);
    assert_int_equal(n_trunk, 125);
    float *trunk = calloc(n_trunk * n_rows, sizeof *trunk), weights[125], *want;
    want = calloc(dim, sizeof *want);
    assert_true(trunk != NULL && want != NULL);
    assert_int_equal(resnet_trunk(scratch->state, scratch->features, n, trunk, NULL), VP_OK);
    for (size_t v = 0; v < 2; v++) {
        for (size_t t = 0; t < n_trunk; t++) {
            const unsigned mask = masks[(size_t)floor((double)t * 589.0 / 125.0)];
            weights[t] = v == 0 ? mask == 1 : (float)(mask >> 1 & 1u);
        }
        double norm;
        resnet_pool_weighted(scratch->state, trunk, n_trunk, weights, want);
        assert_int_equal(vp_embedding_normalize(want, dim, &norm, NULL), VP_OK);
        assert_memory_equal(want, voices.embeddings + v * dim, dim * sizeof *want);
    }
    /* all frames under weight 1: what plain pooling gives, but for the floor under the root */
    float *plain = calloc(dim, sizeof *plain);
    assert_non_null(plain);
    for (size_t t = 0; t < n_trunk; t++)
        weights[t] = 1;
    resnet_pool_weighted(scratch->state, trunk, n_trunk, weights, want);
    assert_int_equal(resnet_forward(scratch->state, scratch->features, n, plain, NULL, NULL, NULL),
                     VP_OK);
    for (size_t d = 0; d < dim; d++)
        assert_true(fabsf(plain[d] - want[d]) < 1e-4F);
    free(plain);
    free(want);
    free(trunk);
    free(samples);
    local_speakers_clear(&voices);
    vp_scratch_free(scratch);
    vp_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_cover_the_recording_and_no_more),
        cmocka_unit_test(two_take_turns_and_overlap),
        cmocka_unit_test(companions_are_two_people_however_alike),
        cmocka_unit_test(thresholds_and_numbers_are_honoured),
        cmocka_unit_test(tracks_follow_the_masks),
        cmocka_unit_test(a_window_is_mapped_one_to_one),
        cmocka_unit_test(counts_are_means_rounded_half_up),
        cmocka_unit_test(the_unknown_are_counted_and_do_not_vote),
        cmocka_unit_test(nobody_is_an_answer),
        cmocka_unit_test(a_voice_is_pooled_under_its_own_mask),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
