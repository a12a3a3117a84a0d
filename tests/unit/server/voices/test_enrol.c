/* Agreement between clips against plain vector arithmetic. */
#include "unit.h"

#include "voices/enrol.h"

#include <math.h>

enum { DIM = 16 };

static double random_unit(void)
{
    return 2.0 * rand() / RAND_MAX - 1;
}

static void fill(struct clips *clips, float *embeddings, size_t n, double spread)
{
    struct vp_err err;
    *clips = (struct clips){.n = n, .embeddings = embeddings};
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < DIM; k++)
            embeddings[i * DIM + k] = (float)((k == 0) + spread * random_unit());
        assert_int_equal(vp_embedding_normalize(embeddings + i * DIM, DIM, NULL, &err), VP_OK);
    }
}

/* Cosine of clip i with the sum of the others, as it is written. */
static double plainly(const struct clips *clips, size_t i)
{
    double sum[DIM] = {0}, dot = 0, norm = 0;
    for (size_t j = 0; j < clips->n; j++)
        for (size_t k = 0; k < DIM && j != i; k++)
            sum[k] += (double)clips->embeddings[j * DIM + k];
    for (size_t k = 0; k < DIM; k++) {
        dot += sum[k] * (double)clips->embeddings[i * DIM + k];
        norm += sum[k] * sum[k];
    }
    return dot / sqrt(norm);
}

static void the_least_agreeing_is_named(void **state)
{
    (void)state;
    static float embeddings[VOICE_MAX_CLIPS * DIM];
    srand(3);
    for (size_t n = 3; n <= VOICE_MAX_CLIPS; n += 7) {
        for (size_t first = 0; first < n; first += n / 3) {
            struct clips clips;
            struct problem problem = {.kind = PROBLEM_NONE};
            fill(&clips, embeddings, n, 0.8);
            size_t worst = first;
            for (size_t i = first; i < n; i++)
                if (plainly(&clips, i) < plainly(&clips, worst))
                    worst = i;
            const double least = plainly(&clips, worst);
            assert_true(enrol_judge(&clips, DIM, first, least - 1e-6, &problem));
            assert_false(enrol_judge(&clips, DIM, first, least + 1e-6, &problem));
            assert_int_equal(problem.kind, PROBLEM_CLIPS_DISAGREE);
            assert_true(problem.has_clip && problem.clip == worst - first);
        }
    }
}

static void the_bar_is_a_probability(void **state)
{
    (void)state;
    double cosine = 0, llr = 0, p = 0;
    assert_true(enrol_agreement(true, 21.5725, -13.1217, &cosine));
    vp_calibrate(21.5725, -13.1217, cosine, &llr, &p);
    assert_true(fabs(p - 0.1) < 1e-9);
    assert_false(enrol_agreement(false, 0, 0, &cosine));
    assert_false(enrol_agreement(true, 0, 1, &cosine));
}

static void clips_that_cancel_are_no_voice(void **state)
{
    (void)state;
    float embeddings[VOICE_MAX_CLIPS * DIM] = {1};
    float row[DIM];
    struct clips clips = {.n = 2, .embeddings = embeddings};
    struct problem problem = {.kind = PROBLEM_NONE};
    embeddings[DIM] = -1;
    assert_null(enrol_make("a", &clips, DIM, 1, row, &problem));
    assert_int_equal(problem.kind, PROBLEM_CLIPS_DISAGREE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least_agreeing_is_named),
        cmocka_unit_test(the_bar_is_a_probability),
        cmocka_unit_test(clips_that_cancel_are_no_voice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
