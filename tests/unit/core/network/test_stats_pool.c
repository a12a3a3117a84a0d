/* Statistics pooling against the definition in long double, in bands of many sizes. */
#include "unit.h"

#include "naive_net.h"
#include "network/stats_pool.h"

#include <math.h>

#define N_VALUES 37
#define MOST     400

/* Row i of frame t: noise around an offset that grows with i up to 1e6; row 0 is constant. */
static void fill(float *values, size_t n_frames)
{
    uint64_t seed = n_frames;
    for (size_t t = 0; t < n_frames; t++)
        for (size_t i = 0; i < N_VALUES; i++)
            values[t * N_VALUES + i] =
                i == 0 ? 3.25F
                       : (float)(pow(10.0, (double)i / 6.0) + naive_random(&seed) * (double)i);
}

static void check(const float *values, size_t n_frames, size_t band)
{
    const float *frames[MOST];
    double memory[STATS_POOL_DOUBLES(N_VALUES)];
    struct stats_pool pool;
    for (size_t t = 0; t < n_frames; t++)
        frames[t] = values + t * N_VALUES;
    stats_pool_start(&pool, N_VALUES, memory);
    stats_pool_add(&pool, frames, 0);
    for (size_t t = 0; t < n_frames; t += band)
        stats_pool_add(&pool, frames + t, n_frames - t < band ? n_frames - t : band);
    for (size_t i = 0; i < N_VALUES; i++) {
        long double mean = 0.0L, m2 = 0.0L;
        for (size_t t = 0; t < n_frames; t++)
            mean += (long double)frames[t][i] / (long double)n_frames;
        for (size_t t = 0; t < n_frames; t++)
            m2 += ((long double)frames[t][i] - mean) * ((long double)frames[t][i] - mean);
        const double std = (double)sqrtl(m2 / (long double)(n_frames - 1) + 1e-7L);
        assert_true(fabs((double)stats_pool_mean(&pool, i) - (double)mean) <=
                    1e-7 * fabs((double)mean));
        assert_true(fabs((double)stats_pool_std(&pool, i) - std) <= 2e-7 * std);
    }
    assert_true(stats_pool_std(&pool, 0) == (float)sqrt(1e-7)); /* constant: the floor alone */
}

static void bands_of_any_size_give_the_definition(void **state)
{
    (void)state;
    static const size_t lengths[] = {2, 3, 17, 98, MOST}, bands[] = {1, 2, 7, 16, 64, MOST};
    static float values[MOST * N_VALUES];
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        fill(values, lengths[i]);
        for (size_t j = 0; j < sizeof bands / sizeof bands[0]; j++)
            check(values, lengths[i], bands[j]);
    }
}

/* Weights of 0 and 1 choose frames; others are the formula. */
static void weights_choose_frames(void **state)
{
    (void)state;
    enum { N = 20, VALUES = 5 };
    float frames[N * VALUES], weights[N], out[2 * VALUES];
    double memory[STATS_POOL_DOUBLES(VALUES)];
    uint64_t seed = 3;
    for (size_t i = 0; i < N * VALUES; i++)
        frames[i] = 100 + (float)naive_random(&seed) * (float)(i % VALUES);
    for (int kind = 0; kind < 2; kind++) {
        for (size_t t = 0; t < N; t++)
            weights[t] = kind == 0 ? (float)(t % 3 == 0) : (float)(t % 5) / 4;
        stats_pool_weighted(frames, N, VALUES, weights, memory, out);
        for (size_t i = 0; i < VALUES; i++) {
            long double v = 1e-8L, v2 = 0, mean = 0, m2 = 0;
            for (size_t t = 0; t < N; t++) {
                v += (long double)weights[t];
                v2 += (long double)weights[t] * (long double)weights[t];
                mean += (long double)weights[t] * (long double)frames[t * VALUES + i];
            }
            mean /= v;
            for (size_t t = 0; t < N; t++) {
                const long double d = (long double)frames[t * VALUES + i] - mean;
                m2 += (long double)weights[t] * d * d;
            }
            const double std = (double)sqrtl(m2 / (v - v2 / v + 1e-8L));
            assert_true(fabs((double)out[i] - (double)mean) <= 1e-6 * (double)fabsl(mean));
            assert_true(fabs((double)out[VALUES + i] - std) <= 1e-6 * std + 1e-9);
        }
    }
    /* nobody: no mean, no spread, no NaN */
    memset(weights, 0, sizeof weights);
    stats_pool_weighted(frames, N, VALUES, weights, memory, out);
    for (size_t i = 0; i < 2 * VALUES; i++)
        assert_true(out[i] == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bands_of_any_size_give_the_definition),
                                       cmocka_unit_test(weights_choose_frames)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
