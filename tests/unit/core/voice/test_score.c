/* Norms, cosines, sides and calibration; and what is refused as no voiceprint at all. */
#include "unit.h"

#include <math.h>

#include "voice/score.h"

#define DIM 7

static void cosine_of_known_angles(void **state)
{
    (void)state;
    float a[DIM] = {3, 0, 0, 0, 0, 0, 0};
    float b[DIM] = {1, 1, 0, 0, 0, 0, 0};
    double norm = 0;
    assert_int_equal(vp_embedding_normalize(a, DIM, &norm, NULL), VP_OK);
    assert_true(norm == 3.0);
    assert_int_equal(vp_embedding_normalize(b, DIM, &norm, NULL), VP_OK);
    assert_true(fabs(vp_cosine(a, b, DIM) - sqrt(0.5)) < 1e-7);
    assert_true(fabs(vp_cosine(a, a, DIM) - 1.0) < 1e-12);
}

static void a_broken_network_is_recognised(void **state)
{
    (void)state;
    struct vp_err err;
    double norm = 0;
    float zero[DIM] = {0};
    assert_int_equal(score_judge(zero, DIM, &norm, &err), VP_ERR_INFERENCE);
    assert_non_null(strstr(err.message, "zero"));
    float constant[DIM] = {2, 2, 2, 2, 2, 2, 2};
    assert_int_equal(score_judge(constant, DIM, &norm, &err), VP_ERR_INFERENCE);
    assert_non_null(strstr(err.message, "constant"));
    float with_nan[DIM] = {1, 2, NAN, 0, 0, 0, 0};
    assert_int_equal(score_judge(with_nan, DIM, &norm, &err), VP_ERR_INFERENCE);
    assert_non_null(strstr(err.message, "not finite"));
    float with_infinity[DIM] = {1, 2, INFINITY, 0, 0, 0, 0};
    assert_int_equal(score_judge(with_infinity, DIM, &norm, &err), VP_ERR_INFERENCE);
    float good[DIM] = {1, -2, 3, 0, 0, 0, 0};
    assert_int_equal(score_judge(good, DIM, &norm, &err), VP_OK);
    assert_true(fabs(norm - sqrt(14.0)) < 1e-12);
}

static void unusable_embeddings_are_refused(void **state)
{
    (void)state;
    struct vp_err err;
    float zero[DIM] = {0};
    assert_int_equal(vp_embedding_normalize(zero, DIM, NULL, &err), VP_ERR_ARGUMENT);
    float with_nan[DIM] = {NAN};
    assert_int_equal(vp_embedding_normalize(with_nan, DIM, NULL, &err), VP_ERR_ARGUMENT);
    float out[DIM];
    double coherence;
    assert_int_equal(vp_embedding_average(zero, 1, DIM, out, &coherence, &err), VP_ERR_ARGUMENT);
    assert_int_equal(vp_embedding_average(zero, 0, DIM, out, &coherence, &err), VP_ERR_ARGUMENT);
}

/* Coherence by the closed form equals the naive double loop over pairs. */
static void a_side_is_the_normalised_mean(void **state)
{
    (void)state;
    float sides[3][DIM] = {{1, 2, 3, 4, 5, 6, 7}, {1, 0, 3, 0, 5, 0, 7}, {7, 6, -5, 4, 3, 2, 1}};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(vp_embedding_normalize(sides[i], DIM, NULL, NULL), VP_OK);
    float out[DIM];
    double coherence = 0;
    assert_int_equal(vp_embedding_average(&sides[0][0], 3, DIM, out, &coherence, NULL), VP_OK);
    double pairs = vp_cosine(sides[0], sides[1], DIM) + vp_cosine(sides[0], sides[2], DIM) +
                   vp_cosine(sides[1], sides[2], DIM);
    assert_true(fabs(coherence - pairs / 3) < 1e-6);
    assert_true(fabs(vp_cosine(out, out, DIM) - 1.0) < 1e-6);
    double ratio = (double)out[0] / (double)(sides[0][0] + sides[1][0] + sides[2][0]);
    for (size_t d = 0; d < DIM; d++) {
        double sum = (double)sides[0][d] + (double)sides[1][d] + (double)sides[2][d];
        assert_true(fabs((double)out[d] - ratio * sum) < 1e-6);
    }
    assert_int_equal(vp_embedding_average(&sides[0][0], 1, DIM, out, &coherence, NULL), VP_OK);
    assert_true(coherence == 1.0);
}

static void calibration_is_a_logistic(void **state)
{
    (void)state;
    double llr = 0, p = 0;
    vp_calibrate(10, -4, 0.4, &llr, &p);
    assert_true(fabs(llr) < 1e-12);
    assert_true(fabs(p - 0.5) < 1e-12);
    vp_calibrate(10, -4, 1.0, &llr, &p);
    assert_true(fabs(llr - 6) < 1e-12);
    assert_true(fabs(p - 1 / (1 + exp(-6.0))) < 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cosine_of_known_angles),
        cmocka_unit_test(a_broken_network_is_recognised),
        cmocka_unit_test(unusable_embeddings_are_refused),
        cmocka_unit_test(a_side_is_the_normalised_mean),
        cmocka_unit_test(calibration_is_a_logistic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
