/*
 * The path of greatest score through a trellis: labels that change no more often than the evidence
 * asks for. A pure function; any thread.
 */
#ifndef VP_VITERBI_H
#define VP_VITERBI_H

#include "base/status.h"

/*
 * scores [n, k] of state s at step t; cost [n] of another state at t than at t - 1 (cost[0] is not
 * looked at). labels [n] receives the path whose scores less costs are greatest; ties go to the
 * lowest state. n and k at least 1. VP_ERR_NO_MEMORY.
 */
enum vp_status viterbi(const double *scores, const double *cost, size_t n, size_t k, size_t *labels,
                       struct vp_err *err) VP_MUST_CHECK;

#endif
