/* How many voices a recording holds, where windows are few, odd, or much alike. */
#include "unit.h"

#include <cblas.h>
#include <math.h>

#include "cluster/cluster.h"

#define MOST 200
#define DIM  24

static float vectors[MOST * DIM];
static size_t n_vectors;
static uint32_t seed;

static double draw(void)
{
    seed = seed * 1664525u + 1013904223u;
    return (double)(seed >> 8) / (double)(1u << 24) - 0.5;
}

static void begin(void)
{
    n_vectors = 0;
    seed = 5;
}

/* n windows of a voice, whose cosine with other voices is about `alike` of that with itself. Voice
 * 1 to 10; 0 is noise: each window is a little like all voices, and like nothing else. */
static void say(size_t n, size_t voice, double alike)
{
    for (size_t i = 0; i < n; i++, n_vectors++) {
        double x[DIM], length = 0.0;
        for (size_t d = 0; d < DIM; d++) {
            x[d] = 0.5 * draw();
            if (d == 0)
                x[d] += voice > 0 ? sqrt(alike) : 1.5;
            if (d == (voice > 0 ? voice : DIM - 1 - i))
                x[d] += voice > 0 ? sqrt(1.0 - alike) : 3.0;
            length += x[d] * x[d];
        }
        for (size_t d = 0; d < DIM; d++)
            vectors[n_vectors * DIM + d] = (float)(x[d] / sqrt(length));
    }
}

/* The number of voices that are found; labels [n_vectors]. */
static size_t found(size_t *labels)
{
    const struct cluster_rules rules = {1, 20, 0.7};
    struct cluster *cluster;
    bool done = false;
    assert_int_equal(cluster_new(vectors, n_vectors, DIM, &rules, &cluster, NULL), VP_OK);
    while (!done)
        assert_int_equal(cluster_step(cluster, &done, NULL), VP_OK);
    const size_t n = cluster_result(cluster)->n_clusters;
    memcpy(labels, cluster_result(cluster)->labels, n_vectors * sizeof *labels);
    cluster_free(cluster);
    return n;
}

static void two_alike_voices_are_two(void **state)
{
    (void)state;
    size_t labels[MOST];
    begin();
    for (size_t turn = 0; turn < 6; turn++)
        say(5, 1 + turn % 2, 0.72);
    assert_int_equal(found(labels), 2);
    for (size_t i = 0; i < n_vectors; i++)
        assert_int_equal(labels[i], labels[i / 5 % 2 * 5]);
}

/* Coughs are the first thing that sets windows apart. */
static void a_noise_hides_nobody(void **state)
{
    (void)state;
    size_t labels[MOST];
    begin();
    say(2, 0, 0.0);
    for (size_t turn = 0; turn < 4; turn++)
        say(3, 1 + turn % 2, 0.72);
    assert_int_equal(found(labels), 2);
    size_t n_wrong = 0;
    for (size_t i = 2; i < n_vectors; i++)
        n_wrong += labels[i] != labels[2 + (i - 2) / 3 % 2 * 3];
    assert_true(n_wrong <= 1);
}

static void a_few_words_of_another_count_in_a_short_recording(void **state)
{
    (void)state;
    size_t labels[MOST];
    begin();
    say(9, 1, 0.2);
    say(3, 2, 0.2);
    assert_int_equal(found(labels), 2);
    assert_int_equal(labels[9], labels[11]);
    assert_int_not_equal(labels[0], labels[9]);
    begin();
    say(40, 1, 0.2);
    say(3, 2, 0.2);
    assert_int_equal(found(labels), 1);
}

static void it_takes_many_windows_to_tell_alike_voices_apart(void **state)
{
    (void)state;
    size_t labels[MOST];
    begin();
    say(24, 1, 0.72);
    say(12, 2, 0.72);
    assert_int_equal(found(labels), 2);
    begin();
    say(24, 1, 0.72);
    say(5, 2, 0.72);
    assert_int_equal(found(labels), 1);
}

static void one_voice_is_one(void **state)
{
    (void)state;
    size_t labels[MOST];
    for (size_t n = 1; n <= MOST; n = 2 * n + 1) {
        begin();
        say(n, 1, 0.5);
        assert_int_equal(found(labels), 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_alike_voices_are_two),
        cmocka_unit_test(a_noise_hides_nobody),
        cmocka_unit_test(a_few_words_of_another_count_in_a_short_recording),
        cmocka_unit_test(it_takes_many_windows_to_tell_alike_voices_apart),
        cmocka_unit_test(one_voice_is_one),
    };
    openblas_set_num_threads(1); /* as vp_model_open does */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
