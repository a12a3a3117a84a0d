/* Everything follows from the sum and the size of each cluster. */
#include "cluster/partition.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define REFINE_ROUNDS 5u
#define SHORTEST      1e-12 /* a sum that has no direction is near nothing */
/* Of one pair of windows or none there is no measure; below this cosine noise is all there is. */
#define WITHIN_UNKNOWN 0.4
#define WITHIN_LEAST   0.15

static double dot(const float *a, const float *b, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

static float *sum_of(const struct partition *partition, size_t c)
{
    return partition->sums + c * partition->dim;
}

enum vp_status partition_init(struct partition *partition, const float *vectors, size_t n,
                              size_t dim, size_t most_clusters, struct vp_err *err)
{
    *partition =
        (struct partition){.vectors = vectors, .n = n, .dim = dim, .most_clusters = most_clusters};
    partition->labels = calloc(n, sizeof(size_t));
    partition->sums = calloc(most_clusters * dim, sizeof(float));
    partition->lengths = calloc(most_clusters, sizeof(double));
    partition->sizes = calloc(most_clusters, sizeof(size_t));
    if (partition->labels == NULL || partition->sums == NULL || partition->lengths == NULL ||
        partition->sizes == NULL) {
        partition_clear(partition);
        return status_no_memory(err, "clusters", n * sizeof(size_t));
    }
    partition_set(partition, partition->labels);
    return VP_OK;
}

void partition_clear(struct partition *partition)
{
    free(partition->labels);
    free(partition->sums);
    free(partition->lengths);
    free(partition->sizes);
    *partition = (struct partition){0};
}

/* Sums and sizes from the labels. */
static void add_up(struct partition *partition)
{
    const size_t dim = partition->dim;
    memset(partition->sums, 0, partition->most_clusters * dim * sizeof(float));
    memset(partition->sizes, 0, partition->most_clusters * sizeof(size_t));
    for (size_t i = 0; i < partition->n; i++) {
        const float *x = partition->vectors + i * dim;
        float *sum = sum_of(partition, partition->labels[i]);
        for (size_t d = 0; d < dim; d++)
            sum[d] += x[d];
        partition->sizes[partition->labels[i]]++;
    }
    for (size_t c = 0; c < partition->most_clusters; c++) {
        const float *sum = sum_of(partition, c);
        partition->lengths[c] = fmax(sqrt(dot(sum, sum, dim)), SHORTEST);
    }
}

/* Closes the gaps that empty clusters leave, once sizes are right. */
static void close_up(struct partition *partition)
{
    partition->n_clusters = 0;
    for (size_t c = 0; c < partition->most_clusters; c++) {
        if (partition->sizes[c] == 0)
            continue;
        const size_t to = partition->n_clusters++;
        if (to == c)
            continue;
        for (size_t i = 0; i < partition->n; i++)
            if (partition->labels[i] == c)
                partition->labels[i] = to;
        memcpy(sum_of(partition, to), sum_of(partition, c), partition->dim * sizeof(float));
        partition->lengths[to] = partition->lengths[c];
        partition->sizes[to] = partition->sizes[c];
        partition->sizes[c] = 0;
    }
}

void partition_set(struct partition *partition, const size_t *labels)
{
    if (labels != partition->labels)
        memcpy(partition->labels, labels, partition->n * sizeof *labels);
    add_up(partition);
    close_up(partition);
}

static double within(const struct partition *partition, size_t c)
{
    const double n = (double)partition->sizes[c];
    if (n < 2.0)
        return WITHIN_UNKNOWN;
    const float *sum = sum_of(partition, c);
    return fmax((dot(sum, sum, partition->dim) - n) / (n * (n - 1.0)), WITHIN_LEAST);
}

double partition_most_alike(const struct partition *partition, size_t *a, size_t *b)
{
    double most = -INFINITY;
    for (size_t i = 0; i < partition->n_clusters; i++)
        for (size_t j = i + 1; j < partition->n_clusters; j++) {
            const double across = dot(sum_of(partition, i), sum_of(partition, j), partition->dim) /
                                  ((double)partition->sizes[i] * (double)partition->sizes[j]);
            const double alike = across / sqrt(within(partition, i) * within(partition, j));
            if (alike > most) {
                most = alike;
                *a = i;
                *b = j;
            }
        }
    return most;
}

void partition_merge(struct partition *partition, size_t a, size_t b)
{
    for (size_t i = 0; i < partition->n; i++)
        if (partition->labels[i] == b)
            partition->labels[i] = a;
    partition_set(partition, partition->labels);
}

/* The cluster whose direction is nearest to point i, other than not_this. */
static size_t nearest(const struct partition *partition, size_t i, size_t not_this)
{
    size_t best = 0;
    double most = -INFINITY;
    for (size_t c = 0; c < partition->n_clusters; c++) {
        if (c == not_this)
            continue;
        const double cosine =
            dot(partition->vectors + i * partition->dim, sum_of(partition, c), partition->dim) /
            partition->lengths[c];
        if (cosine > most) {
            most = cosine;
            best = c;
        }
    }
    return best;
}

void partition_repair(struct partition *partition, size_t least, size_t min_clusters)
{
    while (partition->n_clusters > min_clusters && partition->n_clusters > 1) {
        size_t smallest = 0;
        for (size_t c = 1; c < partition->n_clusters; c++)
            if (partition->sizes[c] < partition->sizes[smallest])
                smallest = c;
        if (partition->sizes[smallest] >= least)
            return;
        for (size_t i = 0; i < partition->n; i++)
            if (partition->labels[i] == smallest)
                partition->labels[i] = nearest(partition, i, smallest);
        partition_set(partition, partition->labels);
    }
}

void partition_refine(struct partition *partition, size_t min_clusters)
{
    for (size_t round = 0; round < REFINE_ROUNDS; round++) {
        bool moved = false;
        for (size_t i = 0; i < partition->n; i++) {
            const size_t from = partition->labels[i], to = nearest(partition, i, SIZE_MAX);
            /* the last point of a cluster stays where clusters must not get fewer */
            if (to == from ||
                (partition->sizes[from] == 1 && partition->n_clusters <= min_clusters))
                continue;
            partition->labels[i] = to;
            partition->sizes[from]--;
            partition->sizes[to]++;
            moved = true;
        }
        partition_set(partition, partition->labels);
        if (!moved)
            return;
    }
}

void partition_direction(const struct partition *partition, size_t c, float *out)
{
    for (size_t d = 0; d < partition->dim; d++)
        out[d] = (float)((double)sum_of(partition, c)[d] / partition->lengths[c]);
}
