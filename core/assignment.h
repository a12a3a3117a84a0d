/*
 * One-to-one assignment of the largest total weight (the Hungarian method): speakers to speakers,
 * or to names. A public header of libvoiceprint. No state; any thread.
 */
#ifndef VP_ASSIGNMENT_H
#define VP_ASSIGNMENT_H

#include "voiceprint.h"

#define VP_ASSIGNMENT_NONE SIZE_MAX

/*
 * weights [n_rows, n_columns], finite. column[r] becomes the column of row r, or VP_ASSIGNMENT_NONE
 * where rows outnumber columns: min(n_rows, n_columns) pairs are made, no column twice, with the
 * largest sum there is. O(n^2 m), n the smaller side. Equal inputs give equal answers. Fails only
 * without memory.
 */
enum vp_status vp_assignment_solve(const double *weights, size_t n_rows, size_t n_columns,
                                   size_t *column, struct vp_err *err) VP_MUST_CHECK;

#endif
