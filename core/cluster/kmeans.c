/* Lloyd's iterations from ten k-means++ starts (Arthur and Vassilvitskii 2007). */
#include "cluster/kmeans.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define N_STARTS   10u
#define MOST_STEPS 100u

struct work {
    const double *points, *weights; /* borrowed, [n, dim] and [n] */
    size_t n, dim, k;
    double *centres; /* owned, [k, dim] */
    double *totals;  /* owned, [k], weight of each cluster */
    double *nearest; /* owned, [n], squared distance to the nearest centre */
    size_t *labels;  /* owned, [n] */
    uint64_t random;
};

/* xorshift64* (Vigna 2016), uniform in [0, 1). */
static double draw(struct work *work)
{
    uint64_t x = work->random;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    work->random = x;
    return (double)((x * UINT64_C(2685821657736338717)) >> 11) * 0x1p-53;
}

static double distance(const struct work *work, size_t i, size_t centre)
{
    const double *x = work->points + i * work->dim, *c = work->centres + centre * work->dim;
    double sum = 0.0;
    for (size_t d = 0; d < work->dim; d++)
        sum += (x[d] - c[d]) * (x[d] - c[d]);
    return sum;
}

/* A point drawn with probability weight times squared distance; any where all distances are 0. */
static size_t draw_point(struct work *work)
{
    double total = 0.0;
    for (size_t i = 0; i < work->n; i++)
        total += work->weights[i] * work->nearest[i];
    double rest = draw(work) * total;
    for (size_t i = 0; i < work->n; i++) {
        rest -= work->weights[i] * work->nearest[i];
        if (rest < 0.0)
            return i;
    }
    return work->n - 1;
}

static void start(struct work *work)
{
    for (size_t i = 0; i < work->n; i++)
        work->nearest[i] = 1.0;
    for (size_t c = 0; c < work->k; c++) {
        memcpy(work->centres + c * work->dim, work->points + draw_point(work) * work->dim,
               work->dim * sizeof(double));
        for (size_t i = 0; i < work->n; i++) {
            const double found = distance(work, i, c);
            work->nearest[i] = c == 0 ? found : fmin(work->nearest[i], found);
        }
    }
}

/* Each point to its nearest centre. Returns the cost; *moved when a label changed. */
static double assign(struct work *work, bool *moved)
{
    double cost = 0.0;
    *moved = false;
    for (size_t i = 0; i < work->n; i++) {
        size_t best = 0;
        double least = INFINITY;
        for (size_t c = 0; c < work->k; c++) {
            const double found = distance(work, i, c);
            if (found < least) {
                least = found;
                best = c;
            }
        }
        *moved = *moved || work->labels[i] != best;
        work->labels[i] = best;
        cost += work->weights[i] * least;
    }
    return cost;
}

/* Each centre to the mean of its points; one without points stays where it is. */
static void move_centres(struct work *work)
{
    memset(work->totals, 0, work->k * sizeof(double));
    for (size_t i = 0; i < work->n; i++)
        work->totals[work->labels[i]] += work->weights[i];
    for (size_t c = 0; c < work->k; c++)
        if (work->totals[c] > 0.0)
            memset(work->centres + c * work->dim, 0, work->dim * sizeof(double));
    for (size_t i = 0; i < work->n; i++) {
        const size_t c = work->labels[i];
        for (size_t d = 0; d < work->dim; d++)
            work->centres[c * work->dim + d] +=
                work->points[i * work->dim + d] * (work->weights[i] / work->totals[c]);
    }
}

enum vp_status kmeans(const double *points, const double *weights, size_t n, size_t dim, size_t k,
                      size_t *labels, struct vp_err *err)
{
    struct work work = {.points = points, .weights = weights, .n = n, .dim = dim, .k = k};
    work.random = UINT64_C(0x9E3779B97F4A7C15);
    work.centres = calloc(k * dim, sizeof(double));
    work.totals = calloc(k, sizeof(double));
    work.nearest = calloc(n, sizeof(double));
    work.labels = calloc(n, sizeof(size_t));
    enum vp_status status = VP_OK;
    if (work.centres == NULL || work.totals == NULL || work.nearest == NULL ||
        work.labels == NULL) {
        status = status_no_memory(err, "k-means", n * sizeof(double));
        goto out;
    }
    double best = INFINITY;
    for (size_t s = 0; s < N_STARTS; s++) {
        start(&work);
        bool moved = true;
        double cost = assign(&work, &moved);
        moved = true; /* labels of the start before mean nothing */
        for (size_t step = 0; step < MOST_STEPS && moved; step++) {
            move_centres(&work);
            cost = assign(&work, &moved);
        }
        if (cost < best) {
            best = cost;
            memcpy(labels, work.labels, n * sizeof *labels);
        }
    }
out:
    free(work.centres);
    free(work.totals);
    free(work.nearest);
    free(work.labels);
    return status;
}
