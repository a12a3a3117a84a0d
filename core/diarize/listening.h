/*
 * The first half of a diarization with a segmentation network: a recording is heard in windows of
 * ten seconds, one second apart, eight at a time, and what remains of it are voices.
 *
 *   bytes -> mono samples -> windows -> who speaks in each frame -> embeddings of the voices
 *
 * Which windows are heard together depends on nothing but their number, so no bit depends on how
 * the steps fall. One owner at a time.
 */
#ifndef VP_LISTENING_H
#define VP_LISTENING_H

#include "audio/intake.h"
#include "diarize/voices.h"

struct listening;

/* Borrows model, segmentation and container's bytes until freed. Returns owned *out. */
enum vp_status listening_new(const vp_model *model, const vp_segmentation *segmentation,
                             const struct container *container, double max_duration_s,
                             struct listening **out, struct vp_err *err) VP_MUST_CHECK;
void listening_free(struct listening *listening); /* takes; NULL is legal */

/* A block of samples, a batch of windows through the segmentation network, or a window through the
 * other one: up to a tenth of a second of work. scratch holds clips of 10 s. *done when all was
 * heard. Errors: those of vp_diarization_step. */
enum vp_status listening_step(struct listening *listening, vp_scratch *scratch, bool *done,
                              struct vp_err *err) VP_MUST_CHECK;

double listening_progress(const struct listening *listening); /* 0..1 */
double listening_heard_s(const struct listening *listening);

/* Borrowed; complete once done. clip has format, levels and duration. */
const struct voices *listening_voices(const struct listening *listening);
const struct vp_clip_info *listening_clip(const struct listening *listening);
size_t listening_n_samples(const struct listening *listening);
size_t listening_bytes(const struct listening *listening);

#endif
