/*
 * Embeddings of windows -> one label each: groups, spectral clustering, repairs.
 *
 * Up to CLUSTER_MOST windows each is a point by itself. Beyond, blocks of CLUSTER_MOST windows are
 * first reduced by average linkage to groups of nearly the same voice, so that memory and time of
 * the spectral step stay bounded, however long the recording is. Work comes in steps.
 */
#ifndef VP_CLUSTER_H
#define VP_CLUSTER_H

#include "cluster/partition.h"

#define CLUSTER_MOST 1000u /* points of a spectral step: 12 MB, 0.2 s */

struct cluster_rules {
    size_t min_clusters, max_clusters; /* 1 <= min <= max; equal: that many are wanted */
    double threshold;                  /* clusters at least this alike are one */
};

struct cluster;

/* Borrows vectors [n, dim] of norm 1, n >= 1, until freed. Returns owned *out. */
enum vp_status cluster_new(const float *vectors, size_t n, size_t dim,
                           const struct cluster_rules *rules, struct cluster **out,
                           struct vp_err *err) VP_MUST_CHECK;
void cluster_free(struct cluster *cluster); /* takes; NULL is legal */

/* Some tenths of a second of work at most; *done when the labels are there. */
enum vp_status cluster_step(struct cluster *cluster, bool *done, struct vp_err *err) VP_MUST_CHECK;

/* The result, borrowed, once done. */
struct partition *cluster_result(struct cluster *cluster);
size_t cluster_bytes(const struct cluster *cluster);

#endif
