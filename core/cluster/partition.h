/*
 * Unit vectors under labels: sums of clusters, how alike two clusters are, and the small repairs
 * that follow a clustering. One owner at a time.
 *
 *   within(a)   = mean cosine of pairs in a          = (|S_a|^2 - n_a) / (n_a (n_a - 1))
 *   across(a,b) = mean cosine of pairs across        = S_a . S_b / (n_a n_b)
 *   alike(a, b) = across(a, b) / sqrt(within(a) within(b))
 *
 * A short window is a voice plus noise of its own. The noise lowers every cosine, in one recording
 * more than in the next, but cancels in the quotient: `alike` estimates the cosine that the two
 * voices would have without it, so that one threshold serves recordings of any quality.
 */
#ifndef VP_PARTITION_H
#define VP_PARTITION_H

#include "base/status.h"

struct partition {
    const float *vectors; /* borrowed, [n, dim], L2 norm 1 */
    size_t n, dim;
    size_t *labels;    /* owned, [n], below n_clusters */
    size_t n_clusters; /* every one has points */
    float *sums;       /* owned, [most_clusters, dim] */
    double *lengths;   /* owned, [most_clusters], L2 norms of the sums, never 0 */
    size_t *sizes;     /* owned, [most_clusters] */
    size_t most_clusters;
};

/* All points in one cluster. Borrows vectors [n, dim], n >= 1. VP_ERR_NO_MEMORY. */
enum vp_status partition_init(struct partition *partition, const float *vectors, size_t n,
                              size_t dim, size_t most_clusters, struct vp_err *err) VP_MUST_CHECK;
void partition_clear(struct partition *partition); /* legal on zeroes */

/* Takes over labels [n], each below most_clusters; labels without points are closed up. */
void partition_set(struct partition *partition, const size_t *labels);

/* The two most alike clusters, a < b. Needs two clusters. */
double partition_most_alike(const struct partition *partition, size_t *a, size_t *b);

/* Cluster b goes into a; labels above b move down. */
void partition_merge(struct partition *partition, size_t a, size_t b);

/* While a cluster is below least points and more than min_clusters are left, the points of the
 * smallest go each to the nearest other cluster. */
void partition_repair(struct partition *partition, size_t least, size_t min_clusters);

/* Points go to the cluster whose direction is nearest, a few rounds; clusters that lose all their
 * points are gone, but never below min_clusters. */
void partition_refine(struct partition *partition, size_t min_clusters);

/* The direction of cluster c, of norm 1, to out [dim]. */
void partition_direction(const struct partition *partition, size_t c, float *out);

#endif
