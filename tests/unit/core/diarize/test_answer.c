/* The answer: speakers numbered by first speech and summed up, cosines that stay cosines. */
#include "unit.h"

#include <math.h>
#include <string.h>

#include "diarize/answer.h"

#define DIM   2
#define CLOSE 1e-12

static struct answer answer;

static int set_up(void **state)
{
    (void)state;
    answer = (struct answer){0};
    answer.result.clip.duration_s = 10.0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    answer_clear(&answer);
    return 0;
}

/* Voices 0, 1, 2; 2 speaks first, 0 last, 1 never. */
static void make(const struct answer_voice voices[3])
{
    struct vp_diarize_options options = {.engine = VP_DIARIZE_VAD};
    const struct vp_turn list[] = {{0.0, 3.0, 2, 0.5}, {4.0, 5.0, 0, 0.5}};
    struct turns turns = {0};
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(turns_add(&turns, &list[i], NULL), VP_OK);
    assert_int_equal(answer_make(&answer, &options, &turns, voices, 3, DIM, NULL), VP_OK);
    assert_null(turns.list);
}

static void speakers_are_numbered_and_summed_up(void **state)
{
    (void)state;
    const float directions[3][DIM] = {{1, 0}, {0, 1}, {0, -1}};
    make((struct answer_voice[]){
        {directions[0], 0.5, 1}, {directions[1], 0.25, 2}, {directions[2], 0.75, 3}});
    const struct vp_diarization_result *result = &answer.result;
    assert_int_equal(result->n_speakers, 2);
    assert_memory_equal(result->speakers[0].embedding, directions[2], sizeof directions[2]);
    assert_memory_equal(result->speakers[1].embedding, directions[0], sizeof directions[0]);
    assert_true(result->speakers[0].coherence == 0.75 && result->speakers[1].coherence == 0.5);
    assert_int_equal(result->speakers[0].channel, 3);
    assert_int_equal(result->speakers[1].channel, 1);
    assert_true(fabs(result->speakers[0].speech_s - 3.0) < CLOSE);
    assert_true(fabs(result->speakers[0].share - 0.75) < CLOSE);
    assert_true(fabs(result->speech_s - 4.0) < CLOSE);
}

/* The same second again and again: the mean of equal cosines came out as 1.00000001. */
static void rounding_never_lifts_a_cosine_above_1(void **state)
{
    (void)state;
    const float direction[DIM] = {1, 0};
    const double lifted = 1.00000001;
    make((struct answer_voice[]){
        {direction, lifted, 0}, {direction, lifted, 0}, {direction, lifted, 0}});
    assert_true(answer.result.speakers[0].coherence == 1.0);
    assert_true(answer.result.speakers[1].coherence == 1.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(speakers_are_numbered_and_summed_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rounding_never_lifts_a_cosine_above_1, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
