/*
 * Target-speaker voice activity detection: how near each stretch of a recording is to each voice ->
 * the probability that the voice speaks there. Several may at once.
 *
 * A frame is one of the embedding network's trunk: 80 ms. For each frame and voice the net hears 28
 * values,
 *
 *   4   cosines of the voice with embeddings of 3, 7, 13 and 19 frames around this one
 *   4   the same with the nearest of the other voices, -0.3 at least
 *   4   what the speech detector says of each 20 ms
 *   16  of the trunk's frame: ReLU(W x + b)
 *
 * and a stack of convolutions over time gives four probabilities, one for each 20 ms:
 *
 *   inp  28 -> 48   3 frames, ReLU
 *   mid  48 -> 48   5 frames, 1, 2, 4 and 2 apart, ReLU; each is added to what it was given
 *   out  48 -> 4    1 frame, logistic
 *
 * Before the beginning and after the end every layer hears zeroes. The idea is that of Medennikov
 * et al., "Target-speaker voice activity detection" (Interspeech 2020); the net is ours.
 *
 * A net belongs to the embedding model whose trunk it was trained on, and serves no other. One
 * owner at a time: it holds its workspace.
 */
#ifndef VP_TSVAD_H
#define VP_TSVAD_H

#include "base/status.h"

#define TSVAD_N_SCALES    4u
#define TSVAD_N_PARTS     4u /* of a frame, 20 ms each */
#define TSVAD_N_PROJECTED 16u
#define TSVAD_TRUNK_ROWS  2560u
#define TSVAD_CONTEXT     19u     /* frames on either side that an answer depends on */
#define TSVAD_MOST        256u    /* frames of one call */
#define TSVAD_FLOOR       (-0.3F) /* of another voice's cosine; without another voice, its value */

/* Frames on either side that the embeddings are of. */
extern const size_t tsvad_reach[TSVAD_N_SCALES];

/* The net in the box, a .safetensors file: bytes [tsvad_weights_end - tsvad_weights]. */
extern const unsigned char tsvad_weights[], tsvad_weights_end[];

struct tsvad;

/* The net in bytes [n_bytes] (borrowed for the call) or, when bytes is NULL, the one in the box.
 * Returns owned *out (tsvad_free). VP_ERR_MODEL names the tensor that is missing, left over, of
 * another shape or not finite; VP_ERR_NO_MEMORY. */
enum vp_status tsvad_new(const void *bytes, size_t n_bytes, struct tsvad **out,
                         struct vp_err *err) VP_MUST_CHECK;
void tsvad_free(struct tsvad *tsvad); /* takes; NULL is legal */
size_t tsvad_bytes(const struct tsvad *tsvad);

/* Was it trained with the embedding model of this digest, "sha256:..."? */
bool tsvad_serves(const struct tsvad *tsvad, const char *model_digest);

/* trunk [n, TSVAD_TRUNK_ROWS] -> projected [n, TSVAD_N_PROJECTED]. */
void tsvad_project(const struct tsvad *tsvad, const float *trunk, size_t n, float *projected);

/* What the net hears of a recording; all borrowed. */
struct tsvad_input {
    size_t n_frames, n_voices;
    const float *cosines;   /* [n_frames, n_voices, TSVAD_N_SCALES] */
    const float *speech;    /* [n_frames, TSVAD_N_PARTS]: see tsvad_speech */
    const float *projected; /* [n_frames, TSVAD_N_PROJECTED] */
};

/* What the net takes for a probability of speech: its logit, bounded, a quarter of it. */
float tsvad_speech(float probability);

/* Does the voice speak in frames first .. first + n - 1? n is at most TSVAD_MOST. Probabilities
 * [n, TSVAD_N_PARTS], the same whatever the pieces but for rounding. */
void tsvad_run(struct tsvad *tsvad, const struct tsvad_input *input, size_t voice, size_t first,
               size_t n, float *probabilities);

#endif
