/*
 * k-means with k-means++ starts, seeded: the same points give the same clusters.
 * A pure function; any thread.
 */
#ifndef VP_KMEANS_H
#define VP_KMEANS_H

#include "base/status.h"

/*
 * points [n, dim] with weights [n], all positive -> labels [n], 0 .. k - 1, 1 <= k <= n. The best
 * of several starts by the weighted sum of squared distances; ties go to the lowest label. Some
 * labels may stay without points where points coincide. VP_ERR_NO_MEMORY.
 */
enum vp_status kmeans(const double *points, const double *weights, size_t n, size_t dim, size_t k,
                      size_t *labels, struct vp_err *err) VP_MUST_CHECK;

#endif
