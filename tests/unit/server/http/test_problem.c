/* The table of errors: every kind has its row, every status of the engine its kind. */
#include "unit.h"

#include "http/problem.h"

static void every_kind_has_a_row(void **state)
{
    (void)state;
    for (int i = 1; i < N_PROBLEMS; i++) {
        const struct problem_rule *rule = problem_rule((enum problem_kind)i);
        assert_non_null(rule->name);
        assert_true(strlen(rule->name) > 3 && strlen(rule->title) > 3);
        assert_true(rule->status >= 400 && rule->status < 600);
        assert_int_equal(rule->retry, rule->status == 503 || rule->status == 429);
        for (int j = 1; j < i; j++)
            assert_string_not_equal(rule->name, problem_rule((enum problem_kind)j)->name);
    }
}

static void every_status_of_the_engine_maps(void **state)
{
    (void)state;
    static const unsigned expected[] = {[VP_ERR_ARGUMENT] = 400,
                                        [VP_ERR_NO_MEMORY] = 503,
                                        [VP_ERR_IO] = 500,
                                        [VP_ERR_MODEL] = 500,
                                        [VP_ERR_SELF_TEST] = 500,
                                        [VP_ERR_AUDIO_EMPTY] = 400,
                                        [VP_ERR_AUDIO_UNSUPPORTED] = 415,
                                        [VP_ERR_AUDIO_UNDECODABLE] = 422,
                                        [VP_ERR_AUDIO_RATE] = 422,
                                        [VP_ERR_AUDIO_CHANNELS] = 422,
                                        [VP_ERR_AUDIO_NO_CHANNEL] = 422,
                                        [VP_ERR_AUDIO_SAMPLES] = 422,
                                        [VP_ERR_AUDIO_TOO_SHORT] = 422,
                                        [VP_ERR_AUDIO_TOO_LONG] = 422,
                                        [VP_ERR_AUDIO_SILENT] = 422,
                                        [VP_ERR_INFERENCE] = 500,
                                        [VP_ERR_CANCELLED] = 503};
    for (int i = 1; i <= VP_ERR_CANCELLED; i++) {
        struct vp_err err = {.status = (enum vp_status)i, .value = 1.5, .limit = 2.5};
        struct problem problem;
        snprintf(err.message, sizeof err.message, "sentence %d", i);
        snprintf(err.detected, sizeof err.detected, "thing");
        problem_from_engine(&problem, &err);
        assert_int_equal(problem_rule(problem.kind)->status, expected[i]);
        assert_string_equal(problem.detail, err.message);
        assert_string_equal(problem.detected, "thing");
        assert_true(problem.value == 1.5 && problem.limit == 2.5);
        /* The engine's names of what is wrong with audio are those of the contract. */
        if (i >= VP_ERR_AUDIO_EMPTY && i <= VP_ERR_AUDIO_SILENT)
            assert_string_equal(problem_rule(problem.kind)->name, vp_status_name(err.status));
    }
}

static void long_sentences_are_cut(void **state)
{
    (void)state;
    struct problem problem;
    char text[2000];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = 0;
    problem_set_field(&problem, text, "%s", text);
    assert_int_equal(problem.kind, PROBLEM_BAD_REQUEST);
    assert_int_equal(strlen(problem.field), sizeof problem.field - 1);
    assert_int_equal(strlen(problem.detail), sizeof problem.detail - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_has_a_row),
        cmocka_unit_test(every_status_of_the_engine_maps),
        cmocka_unit_test(long_sentences_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
