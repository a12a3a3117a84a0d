/*
 * Voice activity detection: log-mel frames -> the probability that somebody speaks.
 *
 *   features [T, 80]    fbank before the mean over time is removed: levels are absolute
 *   conv     80 -> 48   4 frames, every 2nd; ReLU            [S, 48]  S = ceil(T / 2) steps of 20
 * ms gru1     48 -> 64                                         [S, 64] gru2     64 -> 64 [S, 64]
 *   head     64 -> 1    logistic; both frames of a step get the step's probability
 *
 * The net answers for the step VAD_DELAY_STEPS before the one that it hears. Before the beginning
 * and after the end it hears the first and the last frame repeated.
 *
 * A stream: frames may come in pieces of any size, and the probabilities are the same bits whatever
 * the pieces were. Each frame costs the same, so does memory: about 0.3 MB a stream, which holds
 * its own copy of the weights. One owner at a time.
 */
#ifndef VP_VAD_H
#define VP_VAD_H

#include "base/status.h"

#define VAD_N_MELS       80u
#define VAD_STEP_FRAMES  2u
#define VAD_DELAY_STEPS  12u
#define VAD_DELAY_FRAMES (VAD_DELAY_STEPS * VAD_STEP_FRAMES) /* 240 ms */

/* The net in the box, a .safetensors file: bytes [vad_weights_end - vad_weights]. */
extern const unsigned char vad_weights[], vad_weights_end[];

struct vad;

/* A stream at its beginning, with the net in bytes [n_bytes] (borrowed for the call) or, when bytes
 * is NULL, the one in the box. Returns owned *out (vad_free). VP_ERR_MODEL names the tensor that is
 * missing, left over, of another shape or not finite; VP_ERR_NO_MEMORY. */
enum vp_status vad_new(const void *bytes, size_t n_bytes, enum vp_kernel kernel, struct vad **out,
                       struct vp_err *err) VP_MUST_CHECK;
void vad_free(struct vad *vad);          /* takes; NULL is legal */
size_t vad_bytes(const struct vad *vad); /* memory held */

/* The next n_frames: features [n_frames, VAD_N_MELS]. Writes the probabilities, 0..1, of the frames
 * that are decided by now, in order, and returns how many: at most n_frames + 1, which
 * probabilities must have room for. They lag VAD_DELAY_FRAMES to VAD_DELAY_FRAMES + 1 behind. */
size_t vad_push(struct vad *vad, const float *features, size_t n_frames, float *probabilities);

/* The end: writes the probabilities of the frames still open, at most VAD_DELAY_FRAMES + 1, and
 * returns how many; each frame pushed has then got one. The stream is at its beginning again. */
size_t vad_flush(struct vad *vad, float *probabilities);

#endif
