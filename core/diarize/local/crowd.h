/*
 * The second half of a diarization with a segmentation network: voices of windows -> speakers ->
 * turns -> the answer. Any thread; the answer has one owner.
 */
#ifndef VP_CROWD_H
#define VP_CROWD_H

#include "diarize/answer.h"
#include "diarize/local/local_speakers.h"

/* Windows of a recording: one second apart, the last one padded with zeros. What goes beyond a
 * window by less than one frame opens no further one: it would be all padding, and vote. */
size_t crowd_n_windows(size_t n_samples);

/* The cosine from which two tracks are one speaker, where nobody says otherwise. */
double crowd_threshold(const struct vp_model_info *model);

/*
 * Clusters the locals, maps and assembles them. answer as answer_make wants it. truth, for
 * measurements: the speakers of the voices [locals->n], below n_true, instead of clusters; NULL
 * otherwise. VP_ERR_NO_MEMORY.
 */
enum vp_status crowd_conclude(const struct local_speakers *locals, size_t n_samples,
                              const struct vp_diarize_options *options, const size_t *truth,
                              size_t n_true, struct answer *answer,
                              struct vp_err *err) VP_MUST_CHECK;

#endif
