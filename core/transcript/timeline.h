/* Who speaks how much of any stretch of time: turns, by speaker. */
#ifndef VP_TIMELINE_H
#define VP_TIMELINE_H

#include "diarization.h"

struct timeline;

/* Of turns [n_turns] in any order; those of one speaker neither overlap nor touch. Borrows nothing.
 * Returns owned *out (timeline_free). VP_ERR_NO_MEMORY. */
enum vp_status timeline_new(const struct vp_turn *turns, size_t n_turns, struct timeline **out,
                            struct vp_err *err) VP_MUST_CHECK;
void timeline_free(struct timeline *timeline);

/* Who speaks most between start_s and end_s; of equals the lowest. When nobody does, who is
 * nearest, at most reach_s away. Else -1. In time logarithmic in the turns, for each speaker. */
int timeline_speaker(const struct timeline *timeline, double start_s, double end_s, double reach_s);

#endif
