/*
 * Probabilities to turns: where a voice begins and ends, the margin around what was detected, and
 * speech that is given: its exact times, and somebody speaks all through it.
 */
#include "unit.h"

#include <math.h>

#include "diarize/target/target_turns.h"
#include "naive_net.h"

#define MOST_PARTS  400u
#define MOST_VOICES 3u

static float probabilities[MOST_PARTS * MOST_VOICES];
static struct segments segments;
static struct target_activity activity;
static struct turns turns;

static int set_up(void **state)
{
    (void)state;
    activity = (struct target_activity){
        .probabilities = probabilities, .segments = &segments, .duration_s = 100.0};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    segments_clear(&segments);
    turns_clear(&turns);
    return 0;
}

static void segment(double start_s, double end_s)
{
    const struct segment one = {.start_s = start_s, .end_s = end_s};
    assert_int_equal(segments_add(&segments, &one, NULL), VP_OK);
}

static float value_of(char c)
{
    static const struct {
        char c;
        float p;
    } values[] = {{'#', 0.9F}, {'7', 0.7F},   {'6', 0.699F}, {'4', 0.4F},
                  {'3', 0.3F}, {'2', 0.299F}, {'1', 0.2F},   {'.', 0.1F}};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        if (values[i].c == c)
            return values[i].p;
    fail_msg("what is '%c'?", c);
    return 0.0F;
}

/* A whole recording: the probabilities of each voice, a letter for each part of 20 ms. */
static void say(size_t n_voices, const char *const *voices)
{
    activity.n_voices = n_voices;
    activity.n_parts = strlen(voices[0]);
    activity.duration_s = 0.02 * (double)activity.n_parts;
    for (size_t v = 0; v < n_voices; v++) {
        assert_int_equal(strlen(voices[v]), activity.n_parts);
        for (size_t i = 0; i < activity.n_parts; i++)
            probabilities[i * n_voices + v] = value_of(voices[v][i]);
    }
}

/* n parts of one probability for all voices. */
static void say_all(size_t n_voices, size_t n_parts, float p)
{
    activity.n_voices = n_voices;
    activity.n_parts = n_parts;
    for (size_t i = 0; i < n_parts * n_voices; i++)
        probabilities[i] = p;
}

/* The turns as text: "0:1.5-2 1:2-3". */
static void expect(const char *wanted)
{
    char text[512] = "";
    size_t n = 0;
    turns_clear(&turns);
    assert_int_equal(target_turns_find(&activity, &turns, NULL), VP_OK);
    for (size_t i = 0; i < turns.n; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%u:%g-%g", i > 0 ? " " : "",
                              turns.list[i].speaker, turns.list[i].start_s, turns.list[i].end_s);
    assert_string_equal(text, wanted);
}

static void a_voice_begins_at_7_tenths_and_ends_below_3(void **state)
{
    (void)state;
    segment(0.0, 0.26);
    say(2, (const char *const[]){"..67332.3673.", "............."});
    expect("0:0.06-0.12 0:0.2-0.24");
    say(2, (const char *const[]){"4666666666666", "............7"});
    expect("1:0.24-0.26"); /* and who is never sure enough has no turn */
}

static void there_is_a_margin_around_what_was_detected(void **state)
{
    (void)state;
    say_all(1, 200, 0.9F);
    segment(1.0, 2.0);
    expect("0:0.7-2.3");
    segment(2.65, 3.0);
    expect("0:0.7-2.3 0:2.35-3.3");
}

static void margins_that_touch_are_one(void **state)
{
    (void)state;
    say_all(2, 200, 0.9F);
    segment(1.0, 1.5);
    segment(1.9, 2.0); /* their margins overlap, */
    segment(2.0, 2.2); /* these touch without any */
    expect("0:0.7-2.5 1:0.7-2.5");
    segment(2.85, 2.9);
    expect("0:0.7-2.5 1:0.7-2.5 0:2.55-3.2 1:2.55-3.2");
}

static void nobody_is_asked_for_elsewhere(void **state)
{
    (void)state;
    say_all(2, 200, 0.9F);
    expect("");
    activity.exact = true;
    expect("");
    activity.exact = false;
    segment(3.0, 3.1);
    for (size_t i = 2 * 135; i < 2 * 170; i++)
        probabilities[i] = 0.1F;
    expect("");
}

static void speech_that_is_given_has_no_margin(void **state)
{
    (void)state;
    activity.exact = true;
    say_all(1, 200, 0.01F);
    segment(0.513, 1.007);
    segment(1.2, 1.201);
    segment(1.21, 1.3); /* in the same part, and still another */
    expect("0:0.513-1.007 0:1.2-1.201 0:1.21-1.3");
    segment(1.3, 1.5);
    expect("0:0.513-1.007 0:1.2-1.201 0:1.21-1.5");
}

static void somebody_speaks_all_through_it(void **state)
{
    (void)state;
    activity.exact = true;
    segment(0.013, 0.187);
    say(2, (const char *const[]){"..........", "1111......"});
    expect("0:0.08-0.187 1:0.013-0.08"); /* among equals the first */
    say(3, (const char *const[]){"..........", "1111......", "11111111.."});
    expect("0:0.16-0.187 1:0.013-0.08 2:0.08-0.16");
    say(3, (const char *const[]){"..........", "..........", "..########"});
    activity.exact = false;
    expect("2:0.04-0.2");
}

/* On random probabilities: at each instant of the speech somebody, elsewhere nobody. */
static void no_instant_is_left_out(void **state)
{
    (void)state;
    static const double spans[][2] = {{0.0, 0.9}, {1.003, 1.5}, {1.507, 3.3335}, {5.0, 7.9}};
    uint64_t seed = 3;
    activity.exact = true;
    activity.n_voices = MOST_VOICES;
    activity.n_parts = MOST_PARTS;
    for (size_t i = 0; i < MOST_PARTS * MOST_VOICES; i++)
        probabilities[i] = (float)(0.5 + 0.5 * naive_random(&seed));
    for (size_t i = 0; i < 4; i++)
        segment(spans[i][0], spans[i][1]);
    assert_int_equal(target_turns_find(&activity, &turns, NULL), VP_OK);
    for (double at_s = 0.0001; at_s < 8.0; at_s += 0.0007) {
        bool wanted = false, found = false;
        for (size_t i = 0; i < 4; i++)
            wanted |= spans[i][0] <= at_s && at_s < spans[i][1];
        for (size_t i = 0; i < turns.n; i++)
            found |= turns.list[i].start_s <= at_s && at_s < turns.list[i].end_s;
        if (wanted != found)
            fail_msg("at %.4f s %s", at_s, found ? "somebody speaks" : "nobody speaks");
    }
}

static void turns_stay_in_the_recording(void **state)
{
    (void)state;
    activity.duration_s = 0.613;
    say_all(1, 32, 0.9F); /* a little more than there is: whole frames of 80 ms */
    segment(0.1, 0.5);
    expect("0:0-0.613");
    segments_clear(&segments);
    say_all(1, 30, 0.9F); /* a little less: the last 15 ms make no frame */
    segment(0.5, 0.6);
    expect("0:0.2-0.613");
    activity.exact = true;
    expect("0:0.5-0.6");
    segments_clear(&segments);
    segment(0.5, 6.0);
    expect("0:0.5-0.613");
}

static void segments_behind_the_last_part_are_nothing(void **state)
{
    (void)state;
    activity.duration_s = 0.613;
    say_all(2, 30, 0.9F);
    segment(5.0, 6.0);
    expect("");
    activity.exact = true;
    expect("");
    segment(1e8, 2e8);
    expect("");
}

static void two_speak_at_once_each_as_sure_as_it_is(void **state)
{
    (void)state;
    segment(0.0, 0.2);
    say(2, (const char *const[]){".###3.....", "..7777####"});
    expect("0:0.02-0.1 1:0.04-0.2");
    assert_true(fabs(turns.list[0].confidence - (3 * 0.9 + 0.3) / 4.0) < 1e-6);
    assert_true(fabs(turns.list[1].confidence - (4 * 0.7 + 4 * 0.9) / 8.0) < 1e-6);
    say(1, (const char *const[]){".###3....."});
    expect("0:0.02-0.1");
    assert_true(turns.list[0].confidence == -1.0); /* of one voice there is nothing to be said */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_voice_begins_at_7_tenths_and_ends_below_3, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(there_is_a_margin_around_what_was_detected, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(margins_that_touch_are_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nobody_is_asked_for_elsewhere, set_up, tear_down),
        cmocka_unit_test_setup_teardown(speech_that_is_given_has_no_margin, set_up, tear_down),
        cmocka_unit_test_setup_teardown(somebody_speaks_all_through_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_instant_is_left_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(turns_stay_in_the_recording, set_up, tear_down),
        cmocka_unit_test_setup_teardown(segments_behind_the_last_part_are_nothing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(two_speak_at_once_each_as_sure_as_it_is, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
