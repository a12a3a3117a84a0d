/* The path of greatest score against all paths there are. */
#include "unit.h"

#include "cluster/viterbi.h"

#define STEPS  7
#define STATES 3

static double draw(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return (double)(*state >> 8) / (double)(1u << 24);
}

static double score_of(const double *scores, const double *cost, const size_t *path)
{
    double total = 0.0;
    for (size_t t = 0; t < STEPS; t++)
        total += scores[t * STATES + path[t]] - (t > 0 && path[t] != path[t - 1] ? cost[t] : 0.0);
    return total;
}

static void no_path_is_better(void **state)
{
    (void)state;
    uint32_t seed = 1;
    for (size_t round = 0; round < 50; round++) {
        double scores[STEPS * STATES], cost[STEPS], best = -1e9;
        size_t found[STEPS], path[STEPS];
        for (size_t i = 0; i < STEPS * STATES; i++)
            scores[i] = draw(&seed);
        for (size_t t = 0; t < STEPS; t++)
            cost[t] = 0.6 * draw(&seed);
        for (size_t code = 0; code < 2187; code++) { /* 3^7 */
            for (size_t t = 0, rest = code; t < STEPS; t++, rest /= STATES)
                path[t] = rest % STATES;
            const double score = score_of(scores, cost, path);
            best = score > best ? score : best;
        }
        assert_int_equal(viterbi(scores, cost, STEPS, STATES, found, NULL), VP_OK);
        assert_true(score_of(scores, cost, found) > best - 1e-12);
    }
}

static void ties_go_to_the_lowest_state(void **state)
{
    (void)state;
    const double scores[STEPS * STATES] = {0}, cost[STEPS] = {0};
    size_t found[STEPS];
    assert_int_equal(viterbi(scores, cost, STEPS, STATES, found, NULL), VP_OK);
    for (size_t t = 0; t < STEPS; t++)
        assert_int_equal(found[t], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_path_is_better),
        cmocka_unit_test(ties_go_to_the_lowest_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
