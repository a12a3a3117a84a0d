/*
 * Average linkage by nearest-neighbour chain, in memory linear in the number of points.
 *
 * The average cosine between two clusters of unit vectors is the dot product of their sums over
 * the product of their sizes: no matrix of distances is needed, and the chain (Murtagh 1983) finds
 * the very tree that the textbook method does, because average linkage never makes a merged
 * cluster more similar to a third than the nearer of the two was. Pure functions; any thread.
 */
#ifndef VP_LINKAGE_H
#define VP_LINKAGE_H

#include "base/status.h"

/* One merge. Points are 0..n-1; the cluster that merge i makes is n + i. */
struct linkage_merge {
    size_t a, b;       /* a < b */
    double similarity; /* average cosine between the two; never rises from merge to merge */
};

/* vectors [n, dim], of L2 norm 1, n >= 1 -> merges [n - 1], the most similar first. O(n^2 dim)
 * time. VP_ERR_NO_MEMORY. */
enum vp_status linkage_average(const float *vectors, size_t n, size_t dim,
                               struct linkage_merge *merges, struct vp_err *err) VP_MUST_CHECK;

/* Cuts the tree into n_clusters (1..n): labels [n], 0 .. n_clusters - 1 in order of their first
 * point. VP_ERR_NO_MEMORY. */
enum vp_status linkage_cut(const struct linkage_merge *merges, size_t n, size_t n_clusters,
                           size_t *labels, struct vp_err *err) VP_MUST_CHECK;

#endif
