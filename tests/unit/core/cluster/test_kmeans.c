/* k-means: separate clouds are found, weights pull, and nothing depends on chance. */
#include "unit.h"

#include <math.h>

#include "cluster/kmeans.h"

#define N 60

static double points[N * 2], weights[N];
static size_t labels[N], again[N];

static double draw(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return (double)(*state >> 8) / (double)(1u << 24) - 0.5;
}

static void clouds(size_t k, double width)
{
    uint32_t seed = 5;
    for (size_t i = 0; i < N; i++) {
        points[2 * i] = 10.0 * cos(6.283 * (double)(i % k) / (double)k) + width * draw(&seed);
        points[2 * i + 1] = 10.0 * sin(6.283 * (double)(i % k) / (double)k) + width * draw(&seed);
        weights[i] = 1.0;
    }
}

static void clouds_are_found_and_always_the_same(void **state)
{
    (void)state;
    for (size_t k = 1; k <= 7; k++) {
        clouds(k, 1.0);
        assert_int_equal(kmeans(points, weights, N, 2, k, labels, NULL), VP_OK);
        for (size_t i = 0; i < N; i++) {
            assert_true(labels[i] < k);
            for (size_t j = 0; j < N; j++)
                assert_int_equal(labels[i] == labels[j], i % k == j % k);
        }
        assert_int_equal(kmeans(points, weights, N, 2, k, again, NULL), VP_OK);
        assert_memory_equal(labels, again, sizeof labels);
    }
}

static void heavy_points_have_their_way(void **state)
{
    (void)state;
    /* on a line: the last point is alone, unless the first outweighs all */
    static const double line[] = {1.0, 5.0, 6.0, 11.0}, even[] = {1, 1, 1, 1},
                        heavy[] = {100, 1, 1, 1};
    size_t found[4];
    assert_int_equal(kmeans(line, even, 4, 1, 2, found, NULL), VP_OK);
    assert_true(found[0] == found[1] && found[1] == found[2] && found[2] != found[3]);
    assert_int_equal(kmeans(line, heavy, 4, 1, 2, found, NULL), VP_OK);
    assert_true(found[0] != found[1] && found[1] == found[2] && found[2] == found[3]);
}

static void points_that_coincide_do_no_harm(void **state)
{
    (void)state;
    for (size_t i = 0; i < N; i++) {
        points[2 * i] = points[2 * i + 1] = i < 2 ? 1.0 : 0.0;
        weights[i] = 1.0;
    }
    assert_int_equal(kmeans(points, weights, N, 2, 5, labels, NULL), VP_OK);
    assert_true(labels[0] == labels[1] && labels[2] == labels[N - 1] && labels[0] != labels[2]);
    assert_int_equal(kmeans(points, weights, 1, 2, 1, labels, NULL), VP_OK);
    assert_int_equal(labels[0], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clouds_are_found_and_always_the_same),
        cmocka_unit_test(heavy_points_have_their_way),
        cmocka_unit_test(points_that_coincide_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
