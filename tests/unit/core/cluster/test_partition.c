/* Likeness of clusters against its definition by pairs, and the repairs. */
#include "unit.h"

#include <cblas.h>
#include <math.h>

#include "cluster/cluster.h"

#define MOST 2500
#define DIM  24

static float vectors[MOST * DIM];
static size_t labels[MOST];

static double draw(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return (double)(*state >> 8) / (double)(1u << 24) - 0.5;
}

/* Point i is of voice voice_of(i), of so many, with noise. */
static void fill(size_t n, size_t n_voices, double noise, size_t run)
{
    uint32_t seed = 9;
    for (size_t i = 0; i < n; i++) {
        double x[DIM], length = 0.0;
        const size_t voice = i / run % n_voices;
        labels[i] = voice;
        for (size_t d = 0; d < DIM; d++) {
            x[d] = (d == voice ? 1.0 : 0.0) + noise * draw(&seed);
            length += x[d] * x[d];
        }
        for (size_t d = 0; d < DIM; d++)
            vectors[i * DIM + d] = (float)(x[d] / sqrt(length));
    }
}

static double mean_cosine(size_t n, size_t a, size_t b)
{
    double sum = 0.0;
    size_t pairs = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            if (i != j && labels[i] == a && labels[j] == b) {
                for (size_t d = 0; d < DIM; d++)
                    sum += (double)vectors[i * DIM + d] * (double)vectors[j * DIM + d];
                pairs++;
            }
    return sum / (double)pairs;
}

static void likeness_is_what_the_pairs_say(void **state)
{
    (void)state;
    const size_t n = 41;
    struct partition partition;
    fill(n, 3, 1.2, 2);
    assert_int_equal(partition_init(&partition, vectors, n, DIM, 5, NULL), VP_OK);
    assert_int_equal(partition.n_clusters, 1);
    partition_set(&partition, labels);
    assert_int_equal(partition.n_clusters, 3);
    double wanted = -2.0;
    for (size_t a = 0; a < 3; a++)
        for (size_t b = a + 1; b < 3; b++)
            wanted = fmax(wanted,
                          mean_cosine(n, a, b) / sqrt(mean_cosine(n, a, a) * mean_cosine(n, b, b)));
    size_t a, b;
    assert_true(fabs(partition_most_alike(&partition, &a, &b) - wanted) < 1e-5);
    partition_merge(&partition, a, b);
    assert_int_equal(partition.n_clusters, 2);
    partition_clear(&partition);
}

static void small_clusters_join_the_nearest(void **state)
{
    (void)state;
    const size_t n = 40;
    struct partition partition;
    fill(n, 2, 0.3, 1);
    assert_int_equal(partition_init(&partition, vectors, n, DIM, 4, NULL), VP_OK);
    labels[6] = labels[8] = 3; /* of voice 0 */
    partition_set(&partition, labels);
    assert_int_equal(partition.n_clusters, 3); /* label 2 was nobody's */
    partition_repair(&partition, 3, 3);
    assert_int_equal(partition.n_clusters, 3); /* as many as are wanted */
    partition_repair(&partition, 3, 1);
    assert_int_equal(partition.n_clusters, 2);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(partition.labels[i], partition.labels[i % 2]);
    partition_clear(&partition);
}

static void refining_moves_points_home(void **state)
{
    (void)state;
    const size_t n = 60;
    struct partition partition;
    fill(n, 3, 0.3, 1);
    for (size_t i = 0; i < 9; i++)
        labels[i] = (labels[i] + 1) % 3;
    assert_int_equal(partition_init(&partition, vectors, n, DIM, 3, NULL), VP_OK);
    partition_set(&partition, labels);
    partition_refine(&partition, 1);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(partition.labels[i], partition.labels[i % 3 + 9]);
    partition_clear(&partition);
}

/* Clusters n points of n_voices, and expects to find them, or as many as rules force. */
static void expect_voices(size_t n, size_t n_voices, struct cluster_rules rules, size_t wanted)
{
    struct cluster *cluster;
    bool done = false;
    fill(n, n_voices, 0.5, 7);
    assert_int_equal(cluster_new(vectors, n, DIM, &rules, &cluster, NULL), VP_OK);
    while (!done)
        assert_int_equal(cluster_step(cluster, &done, NULL), VP_OK);
    const struct partition *found = cluster_result(cluster);
    assert_int_equal(found->n_clusters, wanted);
    for (size_t i = 0; wanted == n_voices && i < n; i++)
        for (size_t j = 0; j < i; j += 13)
            assert_int_equal(found->labels[i] == found->labels[j], labels[i] == labels[j]);
    cluster_free(cluster);
}

static void voices_are_counted(void **state)
{
    (void)state;
    const struct cluster_rules free_choice = {1, 20, 0.7};
    for (size_t n_voices = 1; n_voices <= 5; n_voices++)
        expect_voices(84, n_voices, free_choice, n_voices);
    expect_voices(800, 20, free_choice, 20);
    expect_voices(1, 1, free_choice, 1);
    expect_voices(2, 1, free_choice, 1);
}

static void many_windows_go_by_groups(void **state)
{
    (void)state;
    const struct cluster_rules free_choice = {1, 20, 0.7};
    expect_voices(1001, 3, free_choice, 3);
    expect_voices(MOST, 7, free_choice, 7);
}

static void a_number_that_is_given_is_kept(void **state)
{
    (void)state;
    for (size_t k = 1; k <= 4; k++)
        expect_voices(70, 3, (struct cluster_rules){k, k, 0.7}, k);
    expect_voices(70, 3, (struct cluster_rules){1, 2, 0.7}, 2);
    expect_voices(70, 2, (struct cluster_rules){3, 20, 0.7}, 3);
    expect_voices(2, 1, (struct cluster_rules){5, 5, 0.7}, 2); /* more than there are windows */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(likeness_is_what_the_pairs_say),
        cmocka_unit_test(small_clusters_join_the_nearest),
        cmocka_unit_test(refining_moves_points_home),
        cmocka_unit_test(voices_are_counted),
        cmocka_unit_test(many_windows_go_by_groups),
        cmocka_unit_test(a_number_that_is_given_is_kept),
    };
    openblas_set_num_threads(1); /* as vp_model_open does */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
