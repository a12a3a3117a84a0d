/*
 * Who speaks in each frame, from masks, votes and evidence that are made here. The masks of labels
 * are pure: each local speaker is one person. A network's are not, so here are masks, too, in which
 * two people are one local speaker.
 */
#include "unit.h"

#include <math.h>

#include "diarize/local/local_speakers.h"
#include "diarize/local/reconstruction.h"
#include "naive_net.h"

enum { N_WINDOWS = 8, N_ROWS = 900, DIM = 4, MOST_VOICES = 3 };
#define FRAME_S (SEG_FRAME_STEP / 16000.0)

/* ---- one frame ------------------------------------------------------------------------------- */

/* The rule word by word. */
static uint32_t twin_elect(const struct frame_witnesses *f, size_t count)
{
    uint32_t elected = 0;
    if (count == 1) {
        size_t i = 0, j = 0;
        for (size_t v = 1; v < f->n_voices; v++) {
            i = f->evidence[v] > f->evidence[i] ? v : i;
            j = f->votes[v] > f->votes[j] ? v : j;
        }
        const float weight = 2.0F * (1.0F - f->cosines[i * f->n_voices + j]);
        const bool stands = (f->evidence[i] - f->evidence[j]) * weight > f->votes[j] - f->votes[i];
        return 1u << (stands ? i : j);
    }
    for (size_t k = 0; k < count && k < f->n_voices; k++) {
        size_t best = SIZE_MAX;
        for (size_t v = 0; v < f->n_voices; v++)
            if (!(elected >> v & 1u) &&
                (best == SIZE_MAX ||
                 f->evidence[v] + f->votes[v] > f->evidence[best] + f->votes[best]))
                best = v;
        elected |= 1u << best;
    }
    return elected;
}

static void the_rule_is_that_of_the_twin(void **state)
{
    (void)state;
    uint64_t seed = 21;
    size_t n_stand = 0, n_fall = 0;
    for (size_t round = 0; round < 3000; round++) {
        float cosines[VP_DIARIZE_MAX_SPEAKERS * VP_DIARIZE_MAX_SPEAKERS];
        struct frame_witnesses frame = {.n_voices = 1 + round % 5, .cosines = cosines};
        for (size_t v = 0; v < frame.n_voices; v++) {
            frame.evidence[v] = (float)fabs(naive_random(&seed));
            frame.votes[v] = (float)fabs(naive_random(&seed));
        }
        for (size_t a = 0; a < frame.n_voices; a++)
            for (size_t b = 0; b <= a; b++)
                cosines[a * frame.n_voices + b] = cosines[b * frame.n_voices + a] =
                    a == b ? 1.0F : (float)naive_random(&seed);
        for (size_t count = 0; count <= 4; count++)
            assert_int_equal(reconstruction_elect(&frame, count), twin_elect(&frame, count));
        size_t likeliest = 0;
        for (size_t v = 1; v < frame.n_voices; v++)
            likeliest = frame.evidence[v] > frame.evidence[likeliest] ? v : likeliest;
        if (reconstruction_elect(&frame, 1) == 1u << likeliest)
            n_stand++;
        else
            n_fall++;
    }
    assert_true(n_stand > 500 && n_fall > 500); /* both ends of the rule were met */
}

/* The same witnesses: of different voices the evidence decides, of like ones the votes do. */
static void evidence_counts_as_much_as_voices_differ(void **state)
{
    (void)state;
    float cosines[] = {1.0F, 0.1F, 0.1F, 1.0F};
    struct frame_witnesses frame = {
        .n_voices = 2, .evidence = {0.9F, 0.2F}, .votes = {0.0F, 1.0F}, .cosines = cosines};
    assert_int_equal(reconstruction_elect(&frame, 1), 1u << 0);
    cosines[1] = cosines[2] = 0.6F;
    assert_int_equal(reconstruction_elect(&frame, 1), 1u << 1);
    assert_int_equal(reconstruction_elect(&frame, 2), 3u);
    assert_int_equal(reconstruction_elect(&frame, 0), 0u);
}

static void evidence_is_of_the_moment(void **state)
{
    (void)state;
    const float rows[] = {0, 1, 2, 3, 4, 5};
    struct voice_evidence evidence = {.rows = rows, .n_rows = 3};
    assert_ptr_equal(reconstruction_evidence(&evidence, 2, 0.0), rows);
    assert_ptr_equal(reconstruction_evidence(&evidence, 2, 0.039), rows + 2);
    assert_ptr_equal(reconstruction_evidence(&evidence, 2, 9.0), rows + 4);
    const struct window windows[] = {{0, 150, 0}, {75, 225, 0}, {400, 500, 1}};
    evidence.windows = windows; /* middles at 0.75, 1.5, 4.5 s */
    assert_ptr_equal(reconstruction_evidence(&evidence, 2, 1.12), rows);
    assert_ptr_equal(reconstruction_evidence(&evidence, 2, 1.13), rows + 2);
    assert_ptr_equal(reconstruction_evidence(&evidence, 2, 2.99), rows + 2);
    assert_ptr_equal(reconstruction_evidence(&evidence, 2, 3.01), rows + 4);
}

/* ---- a recording ----------------------------------------------------------------------------- */

/* Somebody speaks. */
struct speech {
    unsigned voice;
    double start_s, end_s;
};

struct recording {
    struct local_masks masks;
    unsigned char voice_of[N_WINDOWS * SEG_N_SPEAKERS];
    float rows[N_ROWS * MOST_VOICES];
    float directions[MOST_VOICES * DIM];
};

/* Masks, votes and probabilities of what is said; voice v is local speaker local_of[v] of every
 * window, who is taken for the lowest of them. */
static void record(const struct speech *speech, size_t n, const unsigned *local_of, size_t n_voices,
                   struct recording *out)
{
    memset(out, 0, sizeof *out);
    memset(out->voice_of, LOCAL_NOBODY, sizeof out->voice_of);
    for (size_t w = 0; w < N_WINDOWS; w++) {
        unsigned char window[SEG_WINDOW_FRAMES] = {0};
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < SEG_WINDOW_FRAMES; k++) {
                const size_t t = local_masks_first_frame(w) + k;
                const double at_s = (double)(SEG_FRAME_CENTRE + t * SEG_FRAME_STEP) / 16000.0;
                if (speech[i].start_s <= at_s && at_s < speech[i].end_s)
                    window[k] |= (unsigned char)(1u << local_of[speech[i].voice]);
            }
        for (size_t v = n_voices; v-- > 0;)
            out->voice_of[w * SEG_N_SPEAKERS + local_of[v]] = (unsigned char)v;
        assert_int_equal(local_masks_add(&out->masks, window, 1, NULL), VP_OK);
    }
    for (size_t r = 0; r < N_ROWS; r++)
        for (size_t i = 0; i < n; i++) {
            const double at_s = 0.02 * (double)r + 0.01;
            if (speech[i].start_s <= at_s && at_s < speech[i].end_s)
                out->rows[r * n_voices + speech[i].voice] = 0.9F;
        }
    for (size_t v = 0; v < n_voices; v++)
        out->directions[v * DIM + v] = 1.0F;
}

static struct turns turns_of(const struct recording *recording, size_t n_voices, double duration_s)
{
    struct turns turns = {0};
    const struct reconstruction input = {
        .masks = &recording->masks,
        .voice_of = recording->voice_of,
        .evidence = {.rows = recording->rows, .n_rows = N_ROWS},
        .directions = recording->directions,
        .n_voices = n_voices,
        .dim = DIM,
        .n_samples = (size_t)(duration_s * 16000.0),
    };
    assert_int_equal(reconstruction_turns(&input, &turns, NULL), VP_OK);
    return turns;
}

/* Is there such a turn, a frame and a window's rounding off? */
static bool has_turn(const struct turns *turns, const struct speech *speech)
{
    for (size_t i = 0; i < turns->n; i++)
        if (turns->list[i].speaker == speech->voice &&
            fabs(turns->list[i].start_s - speech->start_s) < 2.0 * FRAME_S &&
            fabs(turns->list[i].end_s - speech->end_s) < 2.0 * FRAME_S)
            return true;
    return false;
}

static void two_take_turns_and_overlap(void **state)
{
    (void)state;
    static const struct speech speech[] = {{0, 0.0, 4.0}, {1, 5.0, 9.0}, {0, 8.0, 16.5}};
    static const unsigned local_of[] = {0, 1};
    struct recording recording;
    record(speech, 3, local_of, 2, &recording);
    struct turns turns = turns_of(&recording, 2, 16.5);
    assert_int_equal(turns.n, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_true(has_turn(&turns, &speech[i]));
        assert_true(turns.list[i].confidence > 0.85 && turns.list[i].confidence <= 1.0);
    }
    turns_clear(&turns);
    local_masks_clear(&recording.masks);
}

/* Three people, of whom the network hears two as one: its votes are wrong for a third of the time,
 * and in the middle of a mask. */
static void masks_that_merge_two_voices_do_not_merge_the_voices(void **state)
{
    (void)state;
    static const struct speech speech[] = {
        {0, 0.5, 4.0}, {2, 4.0, 8.0}, {1, 8.2, 11.0}, {0, 11, 14}};
    static const unsigned local_of[] = {0, 1, 0};
    struct recording recording;
    record(speech, 4, local_of, 3, &recording);
    struct turns turns = turns_of(&recording, 3, 15.0);
    assert_int_equal(turns.n, 4);
    for (size_t i = 0; i < 4; i++)
        assert_true(has_turn(&turns, &speech[i]));
    for (size_t i = 0; i < turns.n; i++) /* of whom the votes know nothing, less is known */
        assert_true(turns.list[i].speaker == 2 ? turns.list[i].confidence < 0.6
                                               : turns.list[i].confidence > 0.85);
    turns_clear(&turns);
    local_masks_clear(&recording.masks);
}

/* Evidence that wavers from frame to frame between two like voices: the votes hold on to one. */
static void votes_hold_where_voices_are_alike(void **state)
{
    (void)state;
    static const struct speech speech[] = {{0, 0.5, 6.0}, {1, 7.0, 14.0}};
    static const unsigned local_of[] = {0, 1};
    struct recording recording;
    record(speech, 2, local_of, 2, &recording);
    for (size_t r = 0; r < N_ROWS; r++)
        if (r % 50 < 15 && recording.rows[2 * r] != recording.rows[2 * r + 1]) {
            const float first = recording.rows[2 * r];
            recording.rows[2 * r] = recording.rows[2 * r + 1];
            recording.rows[2 * r + 1] = first;
        }
    recording.directions[DIM] = 0.8F;
    recording.directions[DIM + 1] = 0.6F;
    struct turns turns = turns_of(&recording, 2, 15.0);
    assert_int_equal(turns.n, 2);
    assert_true(has_turn(&turns, &speech[0]) && has_turn(&turns, &speech[1]));
    turns_clear(&turns);
    local_masks_clear(&recording.masks);
}

/* Half of the windows around a frame must hear somebody. */
static void counts_are_means_rounded_half_up(void **state)
{
    (void)state;
    static const struct speech speech[] = {{0, 3.0, 10.0}};
    static const unsigned local_of[] = {0};
    for (size_t n_hear = 0; n_hear <= 6; n_hear++) {
        struct recording recording;
        record(speech, 1, local_of, 1, &recording);
        for (size_t w = n_hear; w < 6; w++) /* windows 0 to 5 cover 5 to 6 s; these hear nobody */
            for (size_t t = 296; t < 355; t++)
                recording.masks.masks[w * SEG_WINDOW_FRAMES + t - local_masks_first_frame(w)] = 0;
        struct turns turns = turns_of(&recording, 1, 15.0);
        assert_int_equal(turns.n, n_hear >= 3 ? 1 : 2);
        assert_true(turns.list[0].confidence == -1.0);
        turns_clear(&turns);
        local_masks_clear(&recording.masks);
    }
}

static void turns_end_with_the_recording(void **state)
{
    (void)state;
    static const struct speech speech[] = {{0, 0.0, 17.0}};
    static const unsigned local_of[] = {0};
    struct recording recording;
    record(speech, 1, local_of, 1, &recording);
    memset(recording.voice_of, LOCAL_NOBODY, sizeof recording.voice_of); /* nobody votes */
    struct turns turns = turns_of(&recording, 1, 12.345);
    assert_int_equal(turns.n, 1);
    assert_true(turns.list[0].start_s == 0.0 && fabs(turns.list[0].end_s - 12.345) < 1e-4);
    turns_clear(&turns);
    local_masks_clear(&recording.masks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rule_is_that_of_the_twin),
        cmocka_unit_test(evidence_counts_as_much_as_voices_differ),
        cmocka_unit_test(evidence_is_of_the_moment),
        cmocka_unit_test(two_take_turns_and_overlap),
        cmocka_unit_test(masks_that_merge_two_voices_do_not_merge_the_voices),
        cmocka_unit_test(votes_hold_where_voices_are_alike),
        cmocka_unit_test(counts_are_means_rounded_half_up),
        cmocka_unit_test(turns_end_with_the_recording),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
