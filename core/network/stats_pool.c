/* Mean and unbiased standard deviation over time, band by band. */
#include "network/stats_pool.h"

#include <math.h>
#include <string.h>

#define WEIGHT_FLOOR 1e-8 /* added to sums of weights, as pyannote's StatsPool does */

void stats_pool_start(struct stats_pool *pool, size_t n_values, double *memory)
{
    memset(memory, 0, STATS_POOL_DOUBLES(n_values) * sizeof *memory);
    *pool = (struct stats_pool){.n_values = n_values,
                                .mean = memory,
                                .m2 = memory + n_values,
                                .band = memory + 2 * n_values};
}

void stats_pool_add(struct stats_pool *pool, const float *const *frames, size_t n)
{
    if (n == 0)
        return;
    const size_t n_values = pool->n_values;
    double *restrict mean = pool->band, *restrict m2 = pool->band + n_values;
    memset(pool->band, 0, 2 * n_values * sizeof *pool->band);
    for (size_t t = 0; t < n; t++)
        for (size_t i = 0; i < n_values; i++)
            mean[i] += (double)frames[t][i];
    for (size_t i = 0; i < n_values; i++)
        mean[i] /= (double)n;
    for (size_t t = 0; t < n; t++)
        for (size_t i = 0; i < n_values; i++) {
            const double distance = (double)frames[t][i] - mean[i];
            m2[i] += distance * distance;
        }

    /* Chan: with n_a frames before and n_b in the band, delta the distance of the two means */
    const double n_a = (double)pool->n_frames, n_b = (double)n;
    for (size_t i = 0; i < n_values; i++) {
        const double delta = mean[i] - pool->mean[i];
        pool->mean[i] += delta * (n_b / (n_a + n_b));
        pool->m2[i] += m2[i] + delta * delta * (n_a * n_b / (n_a + n_b));
    }
    pool->n_frames += n;
}

float stats_pool_mean(const struct stats_pool *pool, size_t i)
{
    return (float)pool->mean[i];
}

float stats_pool_std(const struct stats_pool *pool, size_t i)
{
    return (float)sqrt(pool->m2[i] / (double)(pool->n_frames - 1) + STATS_POOL_VARIANCE_FLOOR);
}

void stats_pool_weighted(const float *frames, size_t n, size_t n_values, const float *weights,
                         double *memory, float *out)
{
    double *restrict mean = memory, *restrict m2 = memory + n_values;
    double sum = WEIGHT_FLOOR, squares = 0;
    memset(memory, 0, 2 * n_values * sizeof *memory);
    for (size_t t = 0; t < n; t++) {
        const double w = (double)weights[t];
        sum += w;
        squares += w * w;
        for (size_t i = 0; w > 0 && i < n_values; i++)
            mean[i] += w * (double)frames[t * n_values + i];
    }
    for (size_t i = 0; i < n_values; i++)
        mean[i] /= sum;
    for (size_t t = 0; t < n; t++) {
        const double w = (double)weights[t];
        for (size_t i = 0; w > 0 && i < n_values; i++) {
            const double distance = (double)frames[t * n_values + i] - mean[i];
            m2[i] += w * distance * distance;
        }
    }
    const double freedom = sum - squares / sum + WEIGHT_FLOOR;
    for (size_t i = 0; i < n_values; i++) {
        out[i] = (float)mean[i];
        out[n_values + i] = (float)sqrt(m2[i] / freedom);
    }
}
