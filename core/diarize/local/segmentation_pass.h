/*
 * The first half of a diarization with a segmentation network: a recording is heard in windows of
 * ten seconds, one second apart, eight at a time, and what remains of it are locals.
 *
 *   bytes -> mono samples -> windows -> who speaks in each frame -> embeddings of the voices
 *
 * Which windows are heard together depends on nothing but their number, so no bit depends on how
 * the steps fall. One owner at a time.
 */
#ifndef VP_SEGMENTATION_PASS_H
#define VP_SEGMENTATION_PASS_H

#include "audio/intake.h"
#include "diarize/local/local_speakers.h"

struct segmentation_pass;

/* Borrows model, segmentation and container's bytes until freed. Returns owned *out. */
enum vp_status segmentation_pass_new(const vp_model *model, const vp_segmentation *segmentation,
                                     const struct container *container, double max_duration_s,
                                     struct segmentation_pass **out,
                                     struct vp_err *err) VP_MUST_CHECK;
void segmentation_pass_free(struct segmentation_pass *pass); /* takes; NULL is legal */

/* A block of samples, a batch of windows through the segmentation network, or a window through the
 * other one: up to a tenth of a second of work. scratch holds clips of 10 s. *done when all was
 * heard. Errors: those of vp_diarization_step. */
enum vp_status segmentation_pass_step(struct segmentation_pass *pass, vp_scratch *scratch,
                                      bool *done, struct vp_err *err) VP_MUST_CHECK;

double segmentation_pass_progress(const struct segmentation_pass *pass); /* 0..1 */
double segmentation_pass_heard_s(const struct segmentation_pass *pass);

/* Borrowed; complete once done. clip has format, levels and duration. */
const struct local_speakers *segmentation_pass_locals(const struct segmentation_pass *pass);
const struct vp_clip_info *segmentation_pass_clip(const struct segmentation_pass *pass);
size_t segmentation_pass_n_samples(const struct segmentation_pass *pass);
size_t segmentation_pass_bytes(const struct segmentation_pass *pass);

#endif
