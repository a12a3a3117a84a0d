/* Average linkage: the chain against the textbook's matrix of distances, in double. */
#include "unit.h"

#include <math.h>

#include "cluster/linkage.h"

#define MOST 60
#define DIM  13

static float vectors[MOST * DIM];

static double draw(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return (double)(*state >> 8) / (double)(1u << 24) - 0.5;
}

/* n unit vectors around n_voices directions. */
static void fill(size_t n, size_t n_voices, double noise, uint32_t seed)
{
    double voices[8][DIM];
    for (size_t v = 0; v < n_voices; v++)
        for (size_t d = 0; d < DIM; d++)
            voices[v][d] = draw(&seed);
    for (size_t i = 0; i < n; i++) {
        double x[DIM], length = 0.0;
        for (size_t d = 0; d < DIM; d++) {
            x[d] = voices[i % n_voices][d] + noise * draw(&seed);
            length += x[d] * x[d];
        }
        for (size_t d = 0; d < DIM; d++)
            vectors[i * DIM + d] = (float)(x[d] / sqrt(length));
    }
}

/* Similarities of the merges by the definition: mean over all pairs of points, the best pair of
 * clusters each time. labels [n]: the clusters when n_clusters are left. */
static void naive(size_t n, double *similarities, size_t n_clusters, size_t *labels)
{
    size_t of[MOST];
    for (size_t i = 0; i < n; i++)
        of[i] = i;
    for (size_t merge = 0; merge + 1 < n; merge++) {
        if (n - merge == n_clusters)
            memcpy(labels, of, n * sizeof *of);
        double best = -2.0;
        size_t best_a = 0, best_b = 0;
        for (size_t a = 0; a < n; a++)
            for (size_t b = a + 1; b < n; b++) {
                double sum = 0.0;
                size_t pairs = 0;
                for (size_t i = 0; i < n; i++)
                    for (size_t j = 0; j < n; j++)
                        if (of[i] == a && of[j] == b) {
                            for (size_t d = 0; d < DIM; d++)
                                sum += (double)vectors[i * DIM + d] * (double)vectors[j * DIM + d];
                            pairs++;
                        }
                if (pairs > 0 && sum / (double)pairs > best) {
                    best = sum / (double)pairs;
                    best_a = a;
                    best_b = b;
                }
            }
        similarities[merge] = best;
        for (size_t i = 0; i < n; i++)
            if (of[i] == best_b)
                of[i] = best_a;
    }
    if (n_clusters == 1)
        memcpy(labels, of, n * sizeof *of);
}

static void the_chain_makes_the_textbooks_tree(void **state)
{
    (void)state;
    static const size_t sizes[] = {2, 3, 5, 17, 38};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        const size_t n = sizes[s], n_clusters = n < 4 ? n - 1 : 4;
        double similarities[MOST];
        size_t wanted[MOST], labels[MOST];
        struct linkage_merge merges[MOST];
        fill(n, 4, 0.8, (uint32_t)n);
        naive(n, similarities, n_clusters, wanted);
        assert_int_equal(linkage_average(vectors, n, DIM, merges, NULL), VP_OK);
        for (size_t i = 0; i + 1 < n; i++) {
            assert_true(fabs(merges[i].similarity - similarities[i]) < 1e-5);
            assert_true(merges[i].a < merges[i].b && merges[i].b < n + i);
        }
        assert_int_equal(linkage_cut(merges, n, n_clusters, labels, NULL), VP_OK);
        for (size_t i = 0; i < n; i++) {
            assert_true(labels[i] < n_clusters);
            for (size_t j = 0; j < n; j++)
                assert_int_equal(labels[i] == labels[j], wanted[i] == wanted[j]);
        }
        assert_int_equal(labels[0], 0);
    }
}

static void equal_points_end_the_chain(void **state)
{
    (void)state;
    struct linkage_merge merges[MOST];
    size_t labels[MOST];
    for (size_t i = 0; i < 20 * DIM; i++)
        vectors[i] = i % DIM == 0 ? 1.0F : 0.0F;
    assert_int_equal(linkage_average(vectors, 20, DIM, merges, NULL), VP_OK);
    assert_int_equal(linkage_cut(merges, 20, 1, labels, NULL), VP_OK);
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(labels[i], 0);
    assert_int_equal(linkage_average(vectors, 1, DIM, merges, NULL), VP_OK);
    assert_int_equal(linkage_cut(merges, 1, 1, labels, NULL), VP_OK);
    assert_int_equal(labels[0], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_chain_makes_the_textbooks_tree),
        cmocka_unit_test(equal_points_end_the_chain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
