/*
 * Kaldi log-mel features, the front end of the model.
 *
 * Samples x 32768 (FRONT_END_POVEY: as they are); frames of 400 samples every 160 (snip_edges); per
 * frame: mean removed, pre-emphasis 0.97 (the first sample against itself), Hamming or Povey,
 * zero-padded to 512, power spectrum, n_mels triangles on mel(f) = 1127 ln(1 + f / 700) from 20 to
 * 8000 Hz, natural log of max(energy, FLT_EPSILON). Then the mean over time of each bin is
 * subtracted.
 *
 * fbank_plan is immutable and may be shared; fbank_work is one caller's.
 */
#ifndef VP_FBANK_H
#define VP_FBANK_H

#include "base/status.h"
#include "features/fbank_kernel.h"
#include "features/front_end.h"

#define FBANK_HOP_SAMPLES 160u /* 10 ms */

struct fbank_plan;
struct fbank_work;

/* Frames of a clip: 1 + (n - 400) / 160, or 0 below 400 samples. */
size_t fbank_n_frames(size_t n_samples);

/* kernel: not AUTO; where its instruction set is not there, the plain one. Returns owned *out
 * (fbank_plan_free). VP_ERR_ARGUMENT when n_mels cannot fill the spectrum. */
enum vp_status fbank_plan_new(size_t n_mels, enum front_end front_end, enum vp_kernel kernel,
                              struct fbank_plan **out, struct vp_err *err) VP_MUST_CHECK;
void fbank_plan_free(struct fbank_plan *plan); /* takes; NULL is legal */

/* Buffers for the features, so that computing them need not allocate. Borrows plan for its
 * lifetime. */
enum vp_status fbank_work_new(const struct fbank_plan *plan, struct fbank_work **out,
                              struct vp_err *err) VP_MUST_CHECK;
void fbank_work_free(struct fbank_work *work); /* takes; NULL is legal */

/* samples [n_samples] in [-1, 1] -> features [fbank_n_frames(n_samples), n_mels], mean over time
 * not yet removed. Returns the number of frames; 0 writes nothing. Never allocates, never fails. */
size_t fbank_log_mel(struct fbank_work *work, const float *samples, size_t n_samples,
                     float *features);
/* features [n_frames, n_mels], n_frames > 0, less their mean over time, in place. Of all frames
 * that are embedded together, and of no others. */
void fbank_subtract_mean(struct fbank_work *work, float *features, size_t n_frames);

#endif
