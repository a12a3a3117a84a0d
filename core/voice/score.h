/* Judging and comparing embeddings. Pure functions of their arguments; any thread. */
#ifndef VP_SCORE_H
#define VP_SCORE_H

#include "base/status.h"

/*
 * Is this a voiceprint at all? Non-finite, near zero or (near) constant values mean that the
 * network is broken, however right the shape looks: VP_ERR_INFERENCE. *norm is the L2 norm.
 */
enum vp_status score_judge(const float *embedding, size_t dim, double *norm,
                           struct vp_err *err) VP_MUST_CHECK;

#endif
