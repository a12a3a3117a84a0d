/*
 * The net that tells who speaks by its definition, in double, and files of it with random weights.
 * What the one in core/ is judged by.
 */
#ifndef VP_NAIVE_TSVAD_H
#define VP_NAIVE_TSVAD_H

#include "diarize/target/tsvad.h"
#include "draft_safetensors.h"

#define NAIVE_TSVAD_ROWS   2560u
#define NAIVE_TSVAD_LAYERS 7u   /* proj, inp, mid.0 .. mid.3, out */
#define NAIVE_TSVAD_MOST   300u /* frames of a recording */

/* The model that a random net says it was trained with. */
extern const char naive_tsvad_digest[72];

/* A net of random weights, float32. Close with draft_safetensors_close. */
struct draft_safetensors naive_tsvad_random(uint64_t seed);

/* One more tensor NAME.PART of shape (taken), n values in +-scale. */
void naive_tsvad_add(struct draft_safetensors *draft, const char *name, const char *part,
                     json_t *shape, size_t n, double scale, uint64_t *seed);

/* The net, and its weights as the file has them. */
struct naive_tsvad {
    struct tsvad *tsvad;
    float *weight[NAIVE_TSVAD_LAYERS], *bias[NAIVE_TSVAD_LAYERS]; /* [n_out, n_in, n_taps] */
};

/* Takes draft; fails the test where it is refused. Close with naive_tsvad_close. */
struct naive_tsvad naive_tsvad_open(struct draft_safetensors draft);
void naive_tsvad_close(struct naive_tsvad *twin);

/* One layer without its ReLU: x [n, n_in] -> y [n, n_out]. */
void naive_tsvad_layer(const struct naive_tsvad *twin, size_t layer, const double *x, size_t n,
                       double *y);

/* The whole recording, NAIVE_TSVAD_MOST frames at most -> probabilities [n_frames, 4]. */
void naive_tsvad_run(const struct naive_tsvad *twin, const struct tsvad_input *in, size_t voice,
                     double *probabilities);

#endif
