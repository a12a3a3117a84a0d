/* Names for speakers, against the definition tried out on every assignment, and the cases it is
 * for. */
#include "unit.h"

#include "voices/naming.h"

#include <math.h>

enum { DIM = 8, MOST_VOICES = 5, MOST_SPEAKERS = 4 };

static const char *const ids[MOST_VOICES] = {"ada", "bob", "cyd", "dan", "eve"};
static const struct decision usual = {.has_threshold = true,
                                      .threshold = 0.4,
                                      .has_calibration = true,
                                      .slope = 20,
                                      .offset = -12,
                                      .unknown_prior = 0.5};

/* Voice i lies along axis i, so that an embedding's numbers are its cosines. */
static struct gallery *gallery_of(size_t n_voices)
{
    struct gallery *gallery = gallery_new("default", "sha256:a", DIM);
    for (size_t i = 0; i < n_voices; i++) {
        float row[DIM] = {0};
        struct voice *voice = voice_new(ids[i], 1);
        row[i] = 1;
        voice->enrolled = true;
        gallery = gallery_append(gallery, voice, row);
        voice_release(voice);
    }
    return gallery;
}

/* What it comes to: names[s], "" for nobody. */
static void name_all(size_t n_voices, float cosines[][DIM], size_t n,
                     const struct decision *decision, struct naming *out, const char **names)
{
    struct gallery *gallery = gallery_of(n_voices);
    const float *embedding[MOST_SPEAKERS];
    for (size_t s = 0; s < n; s++)
        embedding[s] = cosines[s];
    assert_true(name_speakers(n_voices > 0 ? gallery : NULL, embedding, n, decision, out));
    for (size_t s = 0; s < n; s++) {
        names[s] = "";
        for (size_t i = 0; i < n_voices && out[s].identity != NULL; i++)
            if (strcmp(out[s].identity->id, ids[i]) == 0)
                names[s] = ids[i];
        assert_int_equal(*names[s] != 0, out[s].identity != NULL);
        out[s].identity = NULL; /* it goes with the gallery */
    }
    gallery_release(gallery);
}

/* ---- the definition, naively ---------------------------------------------------------------- */

struct problem_of {
    size_t n, n_voices;
    double p[MOST_SPEAKERS][MOST_VOICES + 1]; /* the last is the stranger */
    bool is_similar[MOST_SPEAKERS][MOST_VOICES];
    size_t given[MOST_SPEAKERS], best[MOST_SPEAKERS]; /* n_voices: nobody */
    double most, second;                              /* products */
};

static void fill(struct problem_of *t, float cosines[][DIM], const struct decision *decision)
{
    for (size_t s = 0; s < t->n; s++) {
        double sum = decision->unknown_prior;
        for (size_t i = 0; i < t->n_voices; i++) {
            const double cosine = (double)cosines[s][i];
            t->p[s][i] = (1 - decision->unknown_prior) / (double)t->n_voices *
                         exp(decision->slope * cosine + decision->offset);
            t->is_similar[s][i] = cosine >= decision->threshold;
            sum += t->p[s][i];
        }
        t->p[s][t->n_voices] = decision->unknown_prior;
        for (size_t i = 0; i <= t->n_voices; i++)
            t->p[s][i] /= sum;
    }
}

static void try_all(struct problem_of *t, size_t s, double product)
{
    if (s == t->n) {
        if (product > t->most) {
            t->second = t->most;
            t->most = product;
            memcpy(t->best, t->given, sizeof t->best);
        } else if (product > t->second) {
            t->second = product;
        }
        return;
    }
    for (size_t i = 0; i <= t->n_voices; i++) {
        bool is_free = i == t->n_voices || t->is_similar[s][i];
        for (size_t other = 0; other < s; other++)
            is_free = is_free && (i == t->n_voices || t->given[other] != i);
        t->given[s] = i;
        if (is_free)
            try_all(t, s + 1, product * t->p[s][i]);
    }
}

static double probability_of(const struct problem_of *t, size_t s)
{
    double all = 0;
    for (size_t i = 0; i <= t->n_voices; i++) {
        bool is_anothers = false;
        for (size_t other = 0; other < t->n; other++)
            is_anothers = is_anothers || (other != s && i < t->n_voices && t->best[other] == i);
        all += is_anothers ? 0 : t->p[s][i];
    }
    return t->p[s][t->best[s]] / all;
}

/* False: it hangs on less than the searched bins are good for. */
static bool solve(struct problem_of *t)
{
    bool is_clear = true, is_changed = true;
    try_all(t, 0, 1);
    while (is_changed) {
        is_changed = false;
        for (size_t s = 0; s < t->n; s++) {
            const double p = t->best[s] < t->n_voices ? probability_of(t, s) : 1;
            is_clear = is_clear && fabs(p - 0.5) > 0.01;
            if (p > 0.5)
                continue;
            t->best[s] = t->n_voices;
            is_changed = true;
        }
    }
    return is_clear && t->second < 0.98 * t->most;
}

static void names_are_those_of_the_best_assignment(void **state)
{
    (void)state;
    size_t n_clear = 0, n_named = 0;
    srand(5);
    for (int round = 0; round < 4000; round++) {
        float cosines[MOST_SPEAKERS][DIM] = {{0}};
        struct problem_of t = {.n = 1 + (size_t)rand() % MOST_SPEAKERS,
                               .n_voices = 1 + (size_t)rand() % MOST_VOICES};
        struct naming out[MOST_SPEAKERS];
        const char *names[MOST_SPEAKERS];
        for (size_t s = 0; s < t.n; s++)
            for (size_t i = 0; i < t.n_voices; i++)
                cosines[s][i] = 0.3F + 0.6F * (float)rand() / (float)RAND_MAX;
        fill(&t, cosines, &usual);
        name_all(t.n_voices, cosines, t.n, &usual, out, names);
        if (!solve(&t))
            continue;
        n_clear++;
        for (size_t s = 0; s < t.n; s++) {
            assert_string_equal(names[s], t.best[s] < t.n_voices ? ids[t.best[s]] : "");
            assert_true(out[s].has_score);
            if (t.best[s] == t.n_voices)
                continue;
            n_named++;
            assert_true(fabs(out[s].score - (double)cosines[s][t.best[s]]) < 1e-6);
            assert_true(fabs(out[s].probability - probability_of(&t, s)) < 0.01);
        }
    }
    assert_true(n_clear > 2000 && n_named > 1500);
}

/* ---- cases ---------------------------------------------------------------------------------- */

static void two_speakers_are_never_one_person(void **state)
{
    (void)state;
    float cosines[][DIM] = {{0.80F}, {0.90F}, {0.85F}};
    struct naming out[3];
    const char *names[3];
    name_all(2, cosines, 3, &usual, out, names);
    assert_string_equal(names[0], "");
    assert_string_equal(names[1], "ada");
    assert_string_equal(names[2], "");
    assert_true(fabs(out[0].score - 0.80) < 1e-6); /* with whom it resembles most, all the same */
    assert_true(out[0].probability > 0.9);
}

static void who_loses_a_voice_gets_the_next_best(void **state)
{
    (void)state;
    float cosines[][DIM] = {{0.95F, 0.80F}, {0.96F, 0.10F}};
    struct naming out[2];
    const char *names[2];
    name_all(2, cosines, 2, &usual, out, names);
    assert_string_equal(names[0], "bob");
    assert_string_equal(names[1], "ada");
    assert_true(fabs(out[0].score - 0.80) < 1e-6 && out[0].probability > 0.9);
}

/* 1 - P(ada) is nothing in a double: of the little there is bob has 40 % and a stranger 35 %. */
static void a_loser_is_judged_by_what_little_is_left(void **state)
{
    (void)state;
    struct decision steep = usual;
    float cosines[][DIM] = {{0.99F, 0.60616F, 0.6038F}, {1.0F, 0.45F, 0.45F}};
    struct naming out[2];
    const char *names[2];
    steep.slope = 200;
    steep.offset = -120;
    name_all(3, cosines, 2, &steep, out, names);
    assert_string_equal(names[0], "");
    assert_string_equal(names[1], "ada");
}

/* Taking the surest first would leave the other one without a name. */
static void the_best_for_all_goes_before_the_best_for_one(void **state)
{
    (void)state;
    float cosines[][DIM] = {{0.80F, 0.79F}, {0.75F, 0.0F}};
    struct naming out[2];
    const char *names[2];
    name_all(2, cosines, 2, &usual, out, names);
    assert_string_equal(names[0], "bob");
    assert_string_equal(names[1], "ada");
}

static void without_a_calibration_the_threshold_decides(void **state)
{
    (void)state;
    struct decision plain = usual, none = usual;
    float cosines[][DIM] = {{0.50F, 0.45F}, {0.55F, 0.0F}, {0.39F, 0.39F}};
    struct naming out[3];
    const char *names[3];
    plain.has_calibration = none.has_calibration = none.has_threshold = false;
    name_all(2, cosines, 3, &plain, out, names);
    assert_string_equal(names[0], "bob");
    assert_string_equal(names[1], "ada");
    assert_string_equal(names[2], "");
    name_all(2, cosines, 3, &none, out, names);
    for (size_t s = 0; s < 3; s++)
        assert_string_equal(names[s], "");
    assert_true(fabs(out[1].score - 0.55) < 1e-6);
}

static void nobody_is_known_and_nobody_speaks(void **state)
{
    (void)state;
    float cosines[][DIM] = {{0.9F}};
    struct naming out[1];
    const char *names[1];
    name_all(0, cosines, 1, &usual, out, names);
    assert_string_equal(names[0], "");
    assert_false(out[0].has_score);
    name_all(2, cosines, 0, &usual, out, names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_those_of_the_best_assignment),
        cmocka_unit_test(two_speakers_are_never_one_person),
        cmocka_unit_test(who_loses_a_voice_gets_the_next_best),
        cmocka_unit_test(a_loser_is_judged_by_what_little_is_left),
        cmocka_unit_test(the_best_for_all_goes_before_the_best_for_one),
        cmocka_unit_test(without_a_calibration_the_threshold_decides),
        cmocka_unit_test(nobody_is_known_and_nobody_speaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
