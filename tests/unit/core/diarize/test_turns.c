/* Turns: pauses filled, short ones given away, order, the exclusive variant, times. */
#include "unit.h"

#include <math.h>

#include "diarize/turns.h"

static struct turns turns;

static void add(double start_s, double end_s, unsigned speaker)
{
    const struct vp_turn turn = {start_s, end_s, speaker, 0.5};
    assert_int_equal(turns_add(&turns, &turn, NULL), VP_OK);
}

static int tear_down(void **state)
{
    (void)state;
    turns_clear(&turns);
    return 0;
}

/* The list as text: "0:1.5-2 1:2-3". */
static void expect(const struct turns *list, const char *wanted)
{
    char text[512] = "";
    size_t n = 0;
    for (size_t i = 0; i < list->n; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%u:%g-%g", i > 0 ? " " : "",
                              list->list[i].speaker, list->list[i].start_s, list->list[i].end_s);
    assert_string_equal(text, wanted);
}

static void short_pauses_are_filled(void **state)
{
    (void)state;
    add(2.0, 3.0, 0);
    add(0.0, 1.8, 0);
    add(3.0, 4.0, 1);
    add(4.3, 5.0, 1);
    turns_clean(&turns, 0.2, 0.3);
    expect(&turns, "0:0-3 1:3-4 1:4.3-5"); /* 0.3 s is not below 0.3 s */
}

static void pauses_in_which_another_speaks_are_not(void **state)
{
    (void)state;
    add(0.0, 1.0, 0);
    add(1.0, 1.25, 1);
    add(1.25, 2.0, 0);
    turns_clean(&turns, 0.2, 0.5);
    expect(&turns, "0:0-1 1:1-1.25 0:1.25-2");
}

static void short_turns_go_to_the_longer_neighbour(void **state)
{
    (void)state;
    add(0.0, 1.0, 0);
    add(1.0, 1.1, 1);
    add(1.1, 4.0, 2);
    add(5.0, 5.1, 1); /* touches nobody */
    turns_clean(&turns, 0.2, 0.0);
    expect(&turns, "0:0-1 2:1-4");
}

static void what_lay_on_both_sides_becomes_one(void **state)
{
    (void)state;
    add(0.0, 1.0, 0);
    add(1.0, 1.1, 1);
    add(1.1, 2.0, 0);
    turns_clean(&turns, 0.2, 0.0);
    expect(&turns, "0:0-2");
    assert_true(fabs(turns.list[0].confidence - 0.5) < 1e-9);
}

static void times_are_milliseconds(void **state)
{
    (void)state;
    add(0.00049, 1.23451, 0);
    add(2.0, 2.0003, 0);
    turns_clean(&turns, 0.0, 0.0);
    expect(&turns, "0:0-1.235");
}

static void speakers_are_numbered_as_they_come(void **state)
{
    (void)state;
    size_t old_of[VP_DIARIZE_MAX_SPEAKERS];
    add(0.0, 1.0, 3);
    add(1.0, 2.0, 0);
    add(3.0, 4.0, 3);
    turns_clean(&turns, 0.2, 0.3);
    assert_int_equal(turns_renumber(&turns, 4, old_of), 2);
    expect(&turns, "0:0-1 1:1-2 0:3-4");
    assert_int_equal(old_of[0], 3);
    assert_int_equal(old_of[1], 0);
}

static void overlap_is_counted_and_shared_out(void **state)
{
    (void)state;
    struct turns exclusive;
    double speech_s, overlap_s;
    add(0.0, 10.0, 0);
    add(2.0, 3.0, 1);
    add(9.0, 12.0, 2);
    add(9.5, 11.0, 1);
    turns_clean(&turns, 0.2, 0.3);
    turns_time(&turns, &speech_s, &overlap_s);
    assert_true(fabs(speech_s - 12.0) < 1e-9);
    assert_true(fabs(overlap_s - 3.0) < 1e-9); /* 2-3 and 9-11 */
    assert_int_equal(turns_exclusive(&turns, &exclusive, NULL), VP_OK);
    expect(&exclusive, "0:0-10 2:10-12");
    turns_clear(&exclusive);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(short_pauses_are_filled, tear_down),
        cmocka_unit_test_teardown(pauses_in_which_another_speaks_are_not, tear_down),
        cmocka_unit_test_teardown(short_turns_go_to_the_longer_neighbour, tear_down),
        cmocka_unit_test_teardown(what_lay_on_both_sides_becomes_one, tear_down),
        cmocka_unit_test_teardown(times_are_milliseconds, tear_down),
        cmocka_unit_test_teardown(speakers_are_numbered_as_they_come, tear_down),
        cmocka_unit_test_teardown(overlap_is_counted_and_shared_out, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
