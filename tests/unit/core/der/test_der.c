/* RTTM read and scored: hand-made cases with the arithmetic beside them. */
#include "unit.h"

#include "der.h"

#include <math.h>

#define LINE(start, duration, speaker)                                                             \
    "SPEAKER a 1 " start " " duration " <NA> <NA> " speaker " <NA> <NA>\n"

static struct vp_rttm read(const char *text)
{
    struct vp_rttm rttm;
    struct vp_err err = {0};
    if (vp_rttm_read(text, strlen(text), &rttm, &err) != VP_OK)
        fail_msg("%s", err.message);
    return rttm;
}

/* Miss, false alarm, confusion and total, in seconds. */
static void check(const char *reference, const char *hypothesis, const char *uem,
                  struct vp_der_options options, const double expected[4])
{
    struct vp_rttm ref = read(reference), hyp = read(hypothesis), extent = {0};
    struct vp_err err = {0};
    struct vp_der der;
    if (uem != NULL)
        assert_int_equal(vp_uem_read(uem, strlen(uem), &extent, &err), VP_OK);
    if (vp_der_score(vp_rttm_find(&ref, "a"), vp_rttm_find(&hyp, "a"),
                     uem != NULL ? vp_rttm_find(&extent, "a") : NULL, &options, &der,
                     &err) != VP_OK)
        fail_msg("%s", err.message);
    const double got[4] = {der.miss_s, der.false_alarm_s, der.confusion_s, der.total_s};
    for (int i = 0; i < 4; i++)
        if (!(fabs(got[i] - expected[i]) < 1e-9))
            fail_msg("part %d is %.9f, not %.9f", i, got[i], expected[i]);
    const double wrong = expected[0] + expected[1] + expected[2];
    const double rate = expected[3] > 0 ? wrong / expected[3] : wrong > 0;
    assert_true(fabs(vp_der_rate(&der) - rate) < 1e-9);
    vp_rttm_free(&ref);
    vp_rttm_free(&hyp);
    vp_rttm_free(&extent);
}

static const struct vp_der_options plain = {0, false};

static void each_part_is_counted(void **state)
{
    (void)state;
    const char *two = LINE("0", "4", "A") LINE("4", "2", "B");
    check(two, two, NULL, plain, (double[]){0, 0, 0, 6});
    check(two, LINE("0", "4", "B") LINE("4", "2", "A"), NULL, plain, (double[]){0, 0, 0, 6});
    check(two, "", NULL, plain, (double[]){6, 0, 0, 6});
    check("", two, NULL, plain, (double[]){0, 6, 0, 0});
    check("", "", NULL, plain, (double[]){0, 0, 0, 0});
    check(two, LINE("1", "6", "x"), NULL, plain, (double[]){1, 1, 2, 6});
    /* two at once from 3 to 4: one label misses one second */
    check(LINE("0", "4", "A") LINE("3", "3", "B"), LINE("0", "3", "x") LINE("3", "3", "y"), NULL,
          plain, (double[]){1, 0, 0, 7});
    /* the largest pair (A, x) is not in the best mapping */
    check(LINE("0", "19", "A") LINE("19", "9", "B"),
          LINE("0", "9", "y") LINE("9", "10", "x") LINE("19", "9", "x"), NULL, plain,
          (double[]){0, 0, 10, 28});
    /* one speaker twice at once counts twice */
    check(LINE("0", "2", "A") LINE("1", "2", "A"), LINE("0", "3", "x"), NULL, plain,
          (double[]){1, 0, 0, 4});
}

static void a_collar_has_two_sides(void **state)
{
    (void)state;
    const struct vp_der_options collar = {0.25, false};
    check(LINE("1", "4", "A"), LINE("1.25", "3.5", "x"), NULL, collar, (double[]){0, 0, 0, 3.5});
    check(LINE("1", "4", "A"), LINE("0.5", "5", "x"), NULL, collar, (double[]){0, 0.5, 0, 3.5});
    /* boundaries of the hypothesis have none; a short turn vanishes */
    check(LINE("1", "0.4", "A") LINE("3", "2", "B"), LINE("3.5", "1", "x"), NULL, collar,
          (double[]){0.5, 0, 0, 1.5});
}

static void overlap_is_left_out_on_request(void **state)
{
    (void)state;
    const struct vp_der_options skip = {0, true};
    check(LINE("0", "4", "A") LINE("3", "3", "B"), LINE("0", "6", "x"), NULL, skip,
          (double[]){0, 0, 2, 5});
    /* overlap of the hypothesis stays */
    check(LINE("0", "4", "A"), LINE("0", "4", "x") LINE("1", "1", "y"), NULL, skip,
          (double[]){0, 1, 0, 4});
}

static void only_what_the_uem_lists_is_scored(void **state)
{
    (void)state;
    check(LINE("0", "10", "A"), LINE("2", "10", "x"), "a 1 1 3\na 1 2 4\na 1 9 11\n", plain,
          (double[]){1, 1, 0, 4});
}

static void speakers_are_counted_where_they_are_scored(void **state)
{
    (void)state;
    struct vp_rttm ref = read(LINE("0", "1", "A") LINE("2", "1", "B"));
    struct vp_rttm extent;
    struct vp_der der;
    assert_int_equal(vp_uem_read("a 1 0 1.5", 9, &extent, NULL), VP_OK);
    assert_int_equal(
        vp_der_score(&ref.recordings[0], NULL, &extent.recordings[0], &plain, &der, NULL), VP_OK);
    assert_int_equal(der.n_speakers_reference, 1);
    assert_int_equal(der.n_speakers_hypothesis, 0);
    vp_rttm_free(&ref);
    vp_rttm_free(&extent);
}

static void recordings_speakers_and_turns_are_sorted(void **state)
{
    (void)state;
    struct vp_rttm rttm =
        read("SPEAKER z 1 5 1 <NA> <NA> Q <NA>\nSPEAKER m 1 3 1 <NA> <NA> Y <NA>\n"
             "SPEAKER m 1 9 1 <NA> <NA> X <NA>\nSPEAKER m 1 2 1 <NA> <NA> X <NA>\n");
    assert_int_equal(rttm.n_recordings, 2);
    assert_null(vp_rttm_find(&rttm, "a"));
    assert_null(vp_rttm_find(&rttm, "zz"));
    const struct vp_rttm_recording *m = vp_rttm_find(&rttm, "m");
    assert_ptr_equal(m, &rttm.recordings[0]);
    assert_int_equal(m->n_turns, 3);
    assert_int_equal(m->n_speakers, 2);
    assert_string_equal(m->speakers[0], "X");
    assert_string_equal(m->speakers[1], "Y");
    assert_true(m->turns[0].start_s == 2 && m->turns[1].start_s == 9 && m->turns[2].start_s == 3);
    assert_int_equal(m->turns[2].speaker, 1);
    assert_ptr_equal(vp_rttm_find(&rttm, "z"), &rttm.recordings[1]);
    vp_rttm_free(&rttm);
}

static void too_many_speakers_are_refused(void **state)
{
    (void)state;
    char *text = malloc(2000 * 60);
    size_t n = 0;
    assert_non_null(text);
    for (unsigned i = 0; i < 1001; i++)
        n += (size_t)sprintf(text + n, "SPEAKER a 1 %u 1 <NA> <NA> s%u <NA> <NA>\n", i, i);
    struct vp_rttm many = read(text);
    struct vp_err err;
    struct vp_der der;
    assert_int_equal(vp_der_score(&many.recordings[0], NULL, NULL, &plain, &der, &err),
                     VP_ERR_ARGUMENT);
    assert_non_null(strstr(err.message, "1001 speakers"));
    vp_rttm_free(&many);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_part_is_counted),
        cmocka_unit_test(a_collar_has_two_sides),
        cmocka_unit_test(overlap_is_left_out_on_request),
        cmocka_unit_test(only_what_the_uem_lists_is_scored),
        cmocka_unit_test(speakers_are_counted_where_they_are_scored),
        cmocka_unit_test(recordings_speakers_and_turns_are_sorted),
        cmocka_unit_test(too_many_speakers_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
