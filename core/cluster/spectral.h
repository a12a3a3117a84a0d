/*
 * Spectral embedding of unit vectors: who hangs together with whom.
 *
 *   A = cosines; of each row the largest 20 % (at least 6, at most 30) are kept, negatives and the
 *   diagonal
 *   are dropped, then A = (A + A^T) / 2; L = diag(A 1) - A; the smallest eigenpairs of L.
 *
 * k well separated voices give k eigenvalues near 0 and a gap behind them. A pure function.
 */
#ifndef VP_SPECTRAL_H
#define VP_SPECTRAL_H

#include "base/status.h"

#define SPECTRAL_KEEP  0.20 /* of a row */
#define SPECTRAL_LEAST 6u   /* values of a row, its own included */
#define SPECTRAL_MOST  30u  /* beyond, voices of few windows among many would be tied to others */

/*
 * vectors [n, dim], of norm 1, n >= 2 -> the n_pairs (1..n) smallest eigenvalues, rising, and the
 * eigenvectors as columns of embedding [n, n_pairs]. O(n^3) time, O(n^2) memory.
 * VP_ERR_NO_MEMORY, VP_ERR_INFERENCE when LAPACK finds no solution.
 */
enum vp_status spectral_embed(const float *vectors, size_t n, size_t dim, size_t n_pairs,
                              double *eigenvalues, double *embedding,
                              struct vp_err *err) VP_MUST_CHECK;

/* Number of clusters, 1 .. most, by the largest gap in eigenvalues [most + 1]. */
size_t spectral_count(const double *eigenvalues, size_t most);

#endif
