/*
 * The net that tells who speaks: against its definition in double, on random weights and on those
 * in the box, at odd lengths, for one voice and for many; and what an answer depends on.
 */
#include "unit.h"

#include "naive_net.h"
#include "naive_tsvad.h"

#include <math.h>

#define BAR         2e-6 /* float32 against float64, of a probability */
#define PIECES_BAR  1e-6 /* a product of matrices may round otherwise when there are fewer rows */
#define ROWS        NAIVE_TSVAD_ROWS
#define MOST_FRAMES NAIVE_TSVAD_MOST
#define MOST_VOICES 20u
#define N_CONTEXT   19u

static float cosines[MOST_FRAMES * MOST_VOICES * 4], speech[MOST_FRAMES * 4];
static float projected[MOST_FRAMES * 16];
static float probabilities[MOST_FRAMES * 4], others[MOST_FRAMES * 4];

static struct naive_tsvad net_in_the_box(void)
{
    struct draft_safetensors draft;
    draft_safetensors_open(&draft, "../../../models/tsvad");
    return naive_tsvad_open(draft);
}

static struct naive_tsvad random_net(uint64_t seed)
{
    return naive_tsvad_open(naive_tsvad_random(seed));
}

static struct tsvad_input random_input(size_t n_frames, size_t n_voices, uint64_t seed)
{
    for (size_t i = 0; i < n_frames * n_voices * 4; i++)
        cosines[i] = (float)naive_random(&seed);
    for (size_t i = 0; i < n_frames * 4; i++)
        speech[i] = tsvad_speech((float)(0.5 + 0.5 * naive_random(&seed)));
    for (size_t i = 0; i < n_frames * 16; i++)
        projected[i] = fmaxf((float)naive_random(&seed), 0.0F);
    return (struct tsvad_input){.n_frames = n_frames,
                                .n_voices = n_voices,
                                .cosines = cosines,
                                .speech = speech,
                                .projected = projected};
}

/* The whole recording in pieces of that size -> out [n_frames, 4] */
static void run(struct tsvad *tsvad, const struct tsvad_input *in, size_t voice, size_t piece,
                float *out)
{
    for (size_t first = 0; first < in->n_frames; first += piece) {
        const size_t left = in->n_frames - first;
        tsvad_run(tsvad, in, voice, first, left < piece ? left : piece, out + first * 4);
    }
}

static void check(const struct naive_tsvad *twin, const char *name)
{
    static const size_t lengths[] = {1, 2, 19, 20, 57, 300}, crowds[] = {1, 2, 5, 20};
    static double wanted[MOST_FRAMES * 4];
    double low = 1.0, high = 0.0;
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        for (size_t k = 0; k < sizeof crowds / sizeof crowds[0]; k++) {
            const size_t n = lengths[i], n_voices = crowds[k];
            const struct tsvad_input in = random_input(n, n_voices, 100 * i + k);
            for (size_t v = 0; v<n_voices; v += n_voices> 5 ? 19 : 1) {
                naive_tsvad_run(twin, &in, v, wanted);
                run(twin->tsvad, &in, v, TSVAD_MOST, probabilities);
                for (size_t t = 0; t < 4 * n; t++) {
                    if (!(fabs((double)probabilities[t] - wanted[t]) <= BAR))
                        fail_msg("%s, %zu frames, voice %zu of %zu, part %zu: %.8f, not %.8f", name,
                                 n, v, n_voices, t, (double)probabilities[t], wanted[t]);
                    low = fmin(low, wanted[t]);
                    high = fmax(high, wanted[t]);
                }
            }
        }
    assert_true(low < 0.3 && high > 0.7); /* answers of all kinds were compared */
}

static void agrees_with_the_definition(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        struct naive_tsvad twin = random_net(seed);
        check(&twin, "random weights");
        naive_tsvad_close(&twin);
    }
    struct naive_tsvad twin = net_in_the_box();
    check(&twin, "the net in the box");
    naive_tsvad_close(&twin);
}

static void projects_as_the_definition(void **state)
{
    (void)state;
    static const size_t lengths[] = {1, 2, 17, 64};
    static float trunk[64 * ROWS], found[64 * 16];
    static double x[64 * ROWS], wanted[64 * 16];
    struct naive_tsvad twin = random_net(3);
    uint64_t seed = 4;
    for (size_t i = 0; i < 64 * ROWS; i++)
        x[i] = (double)(trunk[i] = (float)naive_random(&seed));
    naive_tsvad_layer(&twin, 0, x, 64, wanted);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        tsvad_project(twin.tsvad, trunk, lengths[i], found);
        for (size_t k = 0; k < lengths[i] * 16; k++)
            assert_true(fabs((double)found[k] - fmax(wanted[k], 0.0)) <= 1e-5);
    }
    naive_tsvad_close(&twin);
}

/* ---- what an answer depends on -------------------------------------------------------------- */

static void pieces_of_any_size_give_the_same(void **state)
{
    (void)state;
    static const size_t pieces[] = {1, 2, 3, 7, 19, 20, 64, 99, 255};
    struct naive_tsvad nets[] = {random_net(5), net_in_the_box()};
    for (size_t k = 0; k < 2; k++) {
        const struct tsvad_input in = random_input(MOST_FRAMES, 2, 6);
        run(nets[k].tsvad, &in, 1, TSVAD_MOST, probabilities);
        for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
            double worst = 0.0;
            run(nets[k].tsvad, &in, 1, pieces[i], others);
            for (size_t t = 0; t < MOST_FRAMES * 4; t++)
                worst = fmax(worst, fabs((double)others[t] - (double)probabilities[t]));
            if (worst > PIECES_BAR)
                fail_msg("pieces of %zu frames: %g off", pieces[i], worst);
        }
        naive_tsvad_close(&nets[k]);
    }
}

/* Whether frame t's answers are the same bits in both. */
static bool same_at(size_t t)
{
    return memcmp(probabilities + 4 * t, others + 4 * t, 4 * sizeof *others) == 0;
}

static void an_answer_depends_on_19_frames_around_it(void **state)
{
    (void)state;
    enum { N = 121, AT = 60 };
    struct naive_tsvad twin = random_net(7);
    assert_int_equal(TSVAD_CONTEXT, N_CONTEXT);
    for (size_t kind = 0; kind < 4; kind++) { /* the voice, another, the detector, the trunk */
        const struct tsvad_input in = random_input(N, 3, 8);
        run(twin.tsvad, &in, 1, TSVAD_MOST, probabilities);
        for (size_t s = 0; s < 4; s++) {
            if (kind < 2)
                cosines[(AT * 3 + 1 + kind) * 4 + s] = 3.0F;
            else if (kind == 2)
                speech[AT * 4 + s] += 3.0F;
            else
                projected[AT * 16 + 5 * s] += 3.0F;
        }
        run(twin.tsvad, &in, 1, TSVAD_MOST, others);
        for (size_t t = 0; t < N; t++) {
            const size_t away = t < AT ? AT - t : t - AT;
            if (away > N_CONTEXT && !same_at(t))
                fail_msg("kind %zu: %zu frames away something changes", kind, away);
        }
        assert_false(same_at(AT) || same_at(AT - N_CONTEXT) || same_at(AT + N_CONTEXT));
    }
    naive_tsvad_close(&twin);
}

/* A voice's own cosines from 0 on [n, 2, 4], the other's all `other`. */
static void two_voices(size_t n, float other)
{
    for (size_t i = 0; i < n * 8; i++)
        if (i / 4 % 2 == 1)
            cosines[i] = other;
}

static void another_voice_counts_from_the_floor_on(void **state)
{
    (void)state;
    enum { N = 25 };
    static float alone[N * 4];
    struct naive_tsvad twin = random_net(9);
    struct tsvad_input in = random_input(N, 2, 10);
    for (size_t t = 0; t < N; t++)
        memcpy(alone + 4 * t, cosines + 8 * t, 4 * sizeof *alone);
    in.n_voices = 1;
    in.cosines = alone;
    tsvad_run(twin.tsvad, &in, 0, 0, N, probabilities);
    in.n_voices = 2;
    in.cosines = cosines;
    static const float below[] = {-1.0F, -0.31F, -0.3F};
    for (size_t i = 0; i < sizeof below / sizeof below[0]; i++) {
        two_voices(N, below[i]);
        tsvad_run(twin.tsvad, &in, 0, 0, N, others);
        assert_memory_equal(others, probabilities, sizeof alone);
    }
    two_voices(N, -0.29F);
    tsvad_run(twin.tsvad, &in, 0, 0, N, others);
    assert_memory_not_equal(others, probabilities, sizeof alone);
    naive_tsvad_close(&twin);
}

static void speech_is_a_quarter_of_a_bounded_logit(void **state)
{
    (void)state;
    const double bound = 0.25 * log(9999.0);
    assert_true(fabs((double)tsvad_speech(0.0F) + bound) < 1e-4);
    assert_true(fabs((double)tsvad_speech(1.0F) - bound) < 1e-3); /* 1 - 1e-4 in float */
    assert_true(tsvad_speech(0.0F) == tsvad_speech(1e-5F));
    assert_true(tsvad_speech(1.0F) == tsvad_speech(0.99999F));
    assert_true(tsvad_speech(0.5F) == 0.0F);
    assert_true(fabs((double)tsvad_speech(0.9F) - 0.25 * log(9.0)) < 1e-6);
    assert_true(fabs((double)tsvad_speech(0.02F) + 0.25 * log(49.0)) < 1e-6);
    for (size_t i = 1; i < 1000; i++)
        assert_true(tsvad_speech((float)i / 1000.0F) > tsvad_speech((float)(i - 1) / 1000.0F));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_definition),
        cmocka_unit_test(projects_as_the_definition),
        cmocka_unit_test(pieces_of_any_size_give_the_same),
        cmocka_unit_test(an_answer_depends_on_19_frames_around_it),
        cmocka_unit_test(another_voice_counts_from_the_floor_on),
        cmocka_unit_test(speech_is_a_quarter_of_a_bounded_logit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
