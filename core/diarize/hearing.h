/*
 * The first half of a diarization without a segmentation network: a recording is heard block by
 * block, and what remains of it are segments of speech and the embeddings of windows in them.
 *
 *   bytes -> mono samples -> log-mel frames -> speech, segments -> windows -> embeddings
 *
 * Where several channels cancel in their mean, the loudest is taken, as everywhere; to know that,
 * the first minutes of such a recording are decoded twice. One owner at a time.
 */
#ifndef VP_HEARING_H
#define VP_HEARING_H

#include "audio/container.h"
#include "diarization.h"
#include "diarize/speech/segments.h"
#include "diarize/speech/window_embeddings.h"

struct hearing;

/* Borrows container's bytes, and options->speech, until freed. Returns owned *out. */
enum vp_status hearing_new(const vp_model *model, const struct container *container,
                           const struct vp_diarize_options *options, struct hearing **out,
                           struct vp_err *err) VP_MUST_CHECK;
void hearing_free(struct hearing *hearing); /* takes; NULL is legal */

/* One window, or one block: some milliseconds of work. *done when all was heard. Errors: those of
 * vp_diarization_step. */
enum vp_status hearing_step(struct hearing *hearing, vp_scratch *scratch, bool *done,
                            struct vp_err *err) VP_MUST_CHECK;

double hearing_progress(const struct hearing *hearing); /* 0..1 */
double hearing_heard_s(const struct hearing *hearing);

/* Borrowed; complete once done. clip has format, levels and duration. */
const struct segments *hearing_segments(const struct hearing *hearing);
const struct units *hearing_units(const struct hearing *hearing);
const struct vp_clip_info *hearing_clip(const struct hearing *hearing);
/* Of speech, for each of the recording's n frames of 10 ms; none where speech is given and the
 * model's features are not the detector's. */
const float *hearing_probabilities(const struct hearing *hearing, size_t *n);
size_t hearing_bytes(const struct hearing *hearing);

#endif
