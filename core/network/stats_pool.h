/*
 * Statistics pooling (TSTP): mean and standard deviation over time of every value of a frame.
 *
 *   mean = (1/T) sum x_t        std = sqrt((1/(T-1)) sum (x_t - mean)^2 + 1e-7)
 *
 * Frames arrive in bands of any size. Within a band two passes in double; bands are merged by
 * Chan's formula, so the result does not depend on the bands beyond rounding in double, nothing
 * cancels, and a constant value has variance 0. One owner at a time.
 */
#ifndef VP_STATS_POOL_H
#define VP_STATS_POOL_H

#include <stddef.h>

#define STATS_POOL_VARIANCE_FLOOR 1e-7 /* added to the variance, as WeSpeaker's TSTP does */

struct stats_pool {
    size_t n_values; /* of a frame */
    size_t n_frames; /* so far */
    double *mean;    /* borrowed, [n_values] */
    double *m2;      /* borrowed, [n_values]: sum of squared distances to the mean */
    double *band;    /* borrowed, [2 * n_values]: workspace */
};

/* Doubles of memory that stats_pool_start wants. */
#define STATS_POOL_DOUBLES(n_values) (4 * (n_values))

/* Begins a clip. memory [STATS_POOL_DOUBLES(n_values)] is borrowed until the pool is done with. */
void stats_pool_start(struct stats_pool *pool, size_t n_values, double *memory);

/* One band: frames[0..n-1], each [n_values]. n may be 0. */
void stats_pool_add(struct stats_pool *pool, const float *const *frames, size_t n);

/* Of value i. The standard deviation needs two frames. */
float stats_pool_mean(const struct stats_pool *pool, size_t i);
float stats_pool_std(const struct stats_pool *pool, size_t i);

/*
 * The same under weights, as pyannote pools one voice of a window of several (StatsPool):
 *
 *   v = sum w + 1e-8    mean = (1/v) sum w x    var = sum w (x - mean)^2 / (v - sum w^2 / v + 1e-8)
 *
 * std = sqrt(var), without the 1e-7. frames [n, n_values], weights [n], out [2 n_values]: means,
 * then standard deviations. memory [STATS_POOL_DOUBLES(n_values)] is workspace.
 */
void stats_pool_weighted(const float *frames, size_t n, size_t n_values, const float *weights,
                         double *memory, float *out);

#endif
