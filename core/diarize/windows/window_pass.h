/*
 * The first pass over a recording, block by block. What remains of it are segments of speech, the
 * embeddings of windows of 1.5 s in them, and, with a segmentation network, its masks.
 *
 *   bytes -> mono samples -> log-mel frames -> speech, segments -> windows -> embeddings
 *
 * Speech is what the caller says, else where the segmentation network hears somebody, else what the
 * detector finds. Where several channels cancel in their mean, the loudest is taken, as everywhere;
 * to know that, the first minutes of such a recording are decoded twice. One owner at a time.
 */
#ifndef VP_WINDOW_PASS_H
#define VP_WINDOW_PASS_H

#include "audio/container.h"
#include "diarization.h"
#include "diarize/local/local_masks.h"
#include "diarize/windows/window_embeddings.h"
#include "speech/segments.h"

struct window_pass;

/* Borrows segmentation (may be NULL), container's bytes and options->speech until freed. Returns
 * owned *out. */
enum vp_status window_pass_new(const vp_model *model, const vp_segmentation *segmentation,
                               const struct container *container,
                               const struct vp_diarize_options *options, struct window_pass **out,
                               struct vp_err *err) VP_MUST_CHECK;
void window_pass_free(struct window_pass *pass); /* takes; NULL is legal */

/* One window, one block, or a batch of the segmentation network: up to a tenth of a second of work.
 * *done when all was heard. Errors: those of vp_diarization_step. */
enum vp_status window_pass_step(struct window_pass *pass, vp_scratch *scratch, bool *done,
                                struct vp_err *err) VP_MUST_CHECK;

double window_pass_progress(const struct window_pass *pass); /* 0..1 */
double window_pass_heard_s(const struct window_pass *pass);

/* Borrowed; complete once done. clip has format, levels and duration. */
const struct segments *window_pass_segments(const struct window_pass *pass);
const struct window_embeddings *window_pass_embeddings(const struct window_pass *pass);
const struct vp_clip_info *window_pass_clip(const struct window_pass *pass);
/* Of speech, for each of the recording's n frames of 10 ms; none where speech is given and the
 * model's features are not the detector's. */
const float *window_pass_probabilities(const struct window_pass *pass, size_t *n);
/* Of the segmentation network; NULL without. */
const struct local_masks *window_pass_masks(const struct window_pass *pass);
unsigned window_pass_channel(const struct window_pass *pass); /* heard, or VP_CHANNEL_MIX */
size_t window_pass_n_samples(const struct window_pass *pass); /* of the recording, with it */
size_t window_pass_bytes(const struct window_pass *pass);

#endif
