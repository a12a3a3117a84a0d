/* The assignment against every permutation, on sides of all small sizes. */
#include "unit.h"

#include "assignment.h"
#include "naive_net.h"

#include <math.h>

#define MOST 6

/* The best sum over rows r.. with the columns that are free, by trying all. */
static double best_sum(const double *w, size_t n_rows, size_t n_columns, size_t r, unsigned taken,
                       size_t may_skip)
{
    if (r == n_rows)
        return 0;
    double best = may_skip > 0 ? best_sum(w, n_rows, n_columns, r + 1, taken, may_skip - 1)
                               : (double)-INFINITY;
    for (size_t k = 0; k < n_columns; k++)
        if (!(taken & 1u << k))
            best = fmax(best, w[r * n_columns + k] +
                                  best_sum(w, n_rows, n_columns, r + 1, taken | 1u << k, may_skip));
    return best;
}

static void check(const double *w, size_t n_rows, size_t n_columns)
{
    size_t column[MOST], n_pairs = 0;
    unsigned taken = 0;
    double sum = 0;
    assert_int_equal(vp_assignment_solve(w, n_rows, n_columns, column, NULL), VP_OK);
    for (size_t r = 0; r < n_rows; r++) {
        if (column[r] == VP_ASSIGNMENT_NONE)
            continue;
        assert_true(column[r] < n_columns);
        assert_false(taken & 1u << column[r]);
        taken |= 1u << column[r];
        sum += w[r * n_columns + column[r]];
        n_pairs++;
    }
    assert_int_equal(n_pairs, n_rows < n_columns ? n_rows : n_columns);
    const size_t surplus = n_rows > n_columns ? n_rows - n_columns : 0;
    assert_true(fabs(sum - best_sum(w, n_rows, n_columns, 0, 0, surplus)) < 1e-9);
}

static void every_size_is_solved_best(void **state)
{
    (void)state;
    uint64_t seed = 7;
    for (size_t n_rows = 0; n_rows <= MOST; n_rows++)
        for (size_t n_columns = 0; n_columns <= MOST; n_columns++)
            for (int repeat = 0; repeat < 20; repeat++) {
                double w[MOST * MOST];
                for (size_t i = 0; i < MOST * MOST; i++) /* many ties, signs of both kinds */
                    w[i] =
                        repeat < 10 ? naive_random(&seed) : floor(3 * (double)naive_random(&seed));
                check(w, n_rows, n_columns);
            }
}

static void the_largest_pair_is_given_up_for_the_sum(void **state)
{
    (void)state;
    const double w[] = {10, 9, 9, 0};
    size_t column[2];
    assert_int_equal(vp_assignment_solve(w, 2, 2, column, NULL), VP_OK);
    assert_int_equal(column[0], 1);
    assert_int_equal(column[1], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size_is_solved_best),
        cmocka_unit_test(the_largest_pair_is_given_up_for_the_sum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
