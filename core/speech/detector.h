/*
 * Which frames of a whole clip are speech: the net (vad.h) and the rules (speech.h) one behind the
 * other. One owner at a time; keeps nothing from one clip to the next.
 */
#ifndef VP_DETECTOR_H
#define VP_DETECTOR_H

#include "base/status.h"

struct detector;

/* kernel: not AUTO; changes no bit. Returns owned *out (detector_free). VP_ERR_NO_MEMORY. */
enum vp_status detector_new(enum vp_kernel kernel, struct detector **out,
                            struct vp_err *err) VP_MUST_CHECK;
void detector_free(struct detector *detector);          /* takes; NULL is legal */
size_t detector_bytes(const struct detector *detector); /* memory held */

/* features [n_frames, VAD_N_MELS], mean not removed -> speech [n_frames], 1 for speech and 0 for
 * none. Returns how many are speech. */
size_t detector_listen(struct detector *detector, const float *features, size_t n_frames,
                       unsigned char *speech);

#endif
