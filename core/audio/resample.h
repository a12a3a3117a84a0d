/*
 * Any sample rate -> 16 kHz, as a stream, by libsoxr's HQ recipe: linear phase, aligned with the
 * input, round(n_in * 16000 / rate) samples out. What is 16 kHz already passes untouched.
 * One owner; any thread.
 */
#ifndef VP_RESAMPLE_H
#define VP_RESAMPLE_H

#include "base/status.h"

struct resampler;

/* Returns owned *out (resampler_free). VP_ERR_NO_MEMORY when libsoxr refuses. */
enum vp_status resampler_new(unsigned rate_hz, struct resampler **out,
                             struct vp_err *err) VP_MUST_CHECK;
void resampler_free(struct resampler *resampler); /* takes; NULL is legal */

/* samples [n] mono -> fewer than capacity samples in out; *n_out is how many. samples NULL: no
 * more will come, the tail is due. VP_ERR_ARGUMENT when what is due fills capacity or more. */
enum vp_status resampler_push(struct resampler *resampler, const float *samples, size_t n,
                              float *out, size_t capacity, size_t *n_out,
                              struct vp_err *err) VP_MUST_CHECK;

#endif
