/* Statistics pooling against the definition in long double, in bands of many sizes. */
#include "unit.h"

#include "naive_net.h"
#include "stats_pool.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bands_of_any_size_give_the_definition)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
