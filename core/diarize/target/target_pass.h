/*
 * The second pass over a recording, when its voices are known: who speaks when, to 20 ms, several
 * at once.
 *
 *   bytes -> samples -> log-mel frames -> stretches of 5 s, each less its mean -> trunk
 *   trunk -> embeddings around each frame -> cosines with the voices -> tsvad -> probabilities
 *
 * Stretches without speech nearby are skipped. One owner at a time.
 */
#ifndef VP_TARGET_PASS_H
#define VP_TARGET_PASS_H

#include "audio/container.h"
#include "diarize/local/local_speakers.h"
#include "diarize/target/tsvad.h"
#include "speech/segments.h"
#include "voiceprint.h"

#define TARGET_PASS_LEAST_FRAMES 100u /* of a recording: below, windows know as much */
#define TARGET_PASS_SCRATCH_S    6.0  /* of the clips that the scratch must hold */

struct target_pass;

/* What is known from the first pass. */
struct target_pass_known {
    double max_duration_s;
    unsigned channel;           /* that is heard, or VP_CHANNEL_MIX */
    size_t n_frames;            /* of 10 ms, of the recording, TARGET_PASS_LEAST_FRAMES or more */
    const float *probabilities; /* of speech, [n_frames]; borrowed for target_pass_new only */
    const struct segments *segments; /* where there is speech; borrowed */
    const float *directions;         /* [n_voices, dim], norm 1; borrowed */
    size_t n_voices;
    struct local_speakers *locals; /* borrowed: gets all trunk frames; NULL: none to feed */
};

/* Borrows all arguments until freed; tsvad must serve the model. Without it (NULL), only locals
 * gets something, and probabilities are not needed. Returns owned *out. Errors: VP_ERR_NO_MEMORY,
 * those of intake_open_known. */
enum vp_status target_pass_new(const vp_model *model, struct tsvad *tsvad,
                               const struct container *container,
                               const struct target_pass_known *known, struct target_pass **out,
                               struct vp_err *err) VP_MUST_CHECK;
void target_pass_free(struct target_pass *pass); /* takes; NULL is legal */

/* One block of samples, one stretch or one piece of the net: up to 40 ms of work. *done when the
 * probabilities are there. Errors: those of vp_diarization_step. */
enum vp_status target_pass_step(struct target_pass *pass, vp_scratch *scratch, bool *done,
                                struct vp_err *err) VP_MUST_CHECK;

double target_pass_progress(const struct target_pass *pass); /* 0..1 */
size_t target_pass_bytes(const struct target_pass *pass);

/* Once done: probabilities [*n_parts, n_voices], of 20 ms each, borrowed; NULL without a net. */
const float *target_pass_probabilities(const struct target_pass *pass, size_t *n_parts);

#endif
