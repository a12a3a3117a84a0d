/*
 * Samples as they come -> masks of windows: a segmentation network hears windows of ten seconds,
 * one second apart, four at a time.
 *
 * Which windows are heard together depends on nothing but their number, so no bit depends on how
 * the steps fall. One owner at a time.
 */
#ifndef VP_SEGMENTER_H
#define VP_SEGMENTER_H

#include "audio/mono.h"
#include "base/constants.h"
#include "diarize/local/local_masks.h"

/* Seconds by which what is known of a moment may lag behind the samples pushed. */
#define SEGMENTER_DELAY_S                                                                          \
    ((double)((SEG_BATCH - 1) * LOCAL_HOP + SEG_WINDOW_SAMPLES) / SAMPLE_RATE_HZ + 1.0)

struct segmenter;

/* Borrows segmentation until freed. Returns owned *out. VP_ERR_NO_MEMORY. */
enum vp_status segmenter_new(const vp_segmentation *segmentation, struct segmenter **out,
                             struct vp_err *err) VP_MUST_CHECK;
void segmenter_free(struct segmenter *segmenter); /* takes; NULL is legal */
size_t segmenter_bytes(const struct segmenter *segmenter);

/* The next n samples, at most MONO_BLOCK_SAMPLES; none while a batch is due. */
void segmenter_push(struct segmenter *segmenter, const float *samples, size_t n);
void segmenter_end(struct segmenter *segmenter); /* there are no more */

/* A batch is whole, or the rest after the end. */
bool segmenter_is_due(const struct segmenter *segmenter);
/* Hears it. VP_ERR_INFERENCE, VP_ERR_NO_MEMORY. */
enum vp_status segmenter_run(struct segmenter *segmenter, struct vp_err *err) VP_MUST_CHECK;

/* Windows so far, borrowed; all of the recording once the end is pushed and no batch is due. */
const struct local_masks *segmenter_masks(const struct segmenter *segmenter);
size_t segmenter_n_samples(const struct segmenter *segmenter);

#endif
