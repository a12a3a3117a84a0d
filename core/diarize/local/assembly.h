/*
 * Windows that overlap -> turns: which speaker each local one is, and who speaks when.
 *
 * Local speakers of one window are different people: each window is mapped one to one, for the
 * largest sum of cosines with the speakers' directions. Then frame by frame: as many speakers as
 * the windows heard there on average, rounded, half up; those with the most votes, among equals the
 * lowest. A local speaker without an embedding is counted in the first, and votes for nobody. Pure
 * functions; any thread.
 */
#ifndef VP_ASSEMBLY_H
#define VP_ASSEMBLY_H

#include "diarize/local/tracks.h"
#include "diarize/turns.h"

/* Speakers [locals->n] of the local ones, LOCAL_SPEAKERS_NONE where unknown, and how much nearer
 * the track of each is to its own speaker than to the next, margins [locals->n], 0..1, -1 with one
 * speaker. directions [n_speakers, dim], norm 1, n_speakers >= 1; likely [tracks->n]: what
 * clustering said, which stands unless another speaker is clearly nearer. A window with more voices
 * than speakers gives the surplus to the nearest. VP_ERR_NO_MEMORY. */
enum vp_status assembly_assign(const struct local_speakers *locals, const struct tracks *tracks,
                               const size_t *likely, const float *directions, size_t n_speakers,
                               size_t *speakers, double *margins, struct vp_err *err) VP_MUST_CHECK;

/* Raw turns, ended at n_samples. VP_ERR_NO_MEMORY. */
enum vp_status assembly_turns(const struct local_speakers *locals, const size_t *speakers,
                              const double *margins, size_t n_speakers, size_t n_samples,
                              struct turns *out, struct vp_err *err) VP_MUST_CHECK;

#endif
