/*
 * Samples as they come -> log-mel frames, the latest of them at hand.
 *
 * Frame t is of samples [160 t, 160 t + 400); it stands for the time from t to t + 1 hundredths of
 * a second. Means are not removed: that is done for each window. One owner at a time.
 */
#ifndef VP_FRAMES_H
#define VP_FRAMES_H

#include "features/fbank.h"

#define FRAMES_A_SECOND 100u

struct frames;

/* For features of n_mels values, blocks of up to max_block samples; the latest n_kept frames stay
 * at hand. Returns owned *out. VP_ERR_NO_MEMORY. */
enum vp_status frames_new(size_t n_mels, size_t max_block, size_t n_kept, struct frames **out,
                          struct vp_err *err) VP_MUST_CHECK;
void frames_free(struct frames *frames); /* takes; NULL is legal */
size_t frames_bytes(const struct frames *frames);

/* The next n samples of the recording, n at most max_block. work is used for the call only. */
void frames_push(struct frames *frames, struct fbank_work *work, const float *samples, size_t n);

/* Frames of the recording so far. */
size_t frames_end(const struct frames *frames);
/* Frames from index first on, [frames_end - first, n_mels], borrowed until the next push. first
 * lies at most n_kept back; beyond is a broken invariant and aborts. */
const float *frames_from(const struct frames *frames, size_t first);

#endif
