/*
 * PyTorch's numbers in tests/golden, stage by stage of a forward pass, and the signal that they
 * were computed from. Every function fails the test itself when something is amiss.
 */
#ifndef VP_GOLDENS_H
#define VP_GOLDENS_H

#include <stdbool.h>

#include "npy.h"
#include "voiceprint.h"

#define GOLDENS_N_STAGES 7

/* A model and a scratch for clips from 0.105 s on. Both are the caller's. */
void goldens_open_scratch(const char *model_path, enum vp_kernel kernel, size_t n_threads,
                          vp_model **model, vp_scratch **scratch);

/* The first frames of the golden signal, repeated as often as it takes; their features. */
void goldens_set_clip(vp_scratch *scratch, size_t n_frames);

/* Says so when this CPU cannot run the kernel. */
bool goldens_cannot_run(enum vp_kernel kernel);

/* What the taps saw, compared as it comes. */
struct goldens {
    const char *const *stages; /* [GOLDENS_N_STAGES], borrowed */
    struct npy golden[GOLDENS_N_STAGES];
    double worst[GOLDENS_N_STAGES];   /* |difference| */
    double largest[GOLDENS_N_STAGES]; /* |golden| */
    size_t n_frames[GOLDENS_N_STAGES];
    size_t n_others; /* frames of stages without golden */
};

/* folder/STAGE.npy of each stage. */
void goldens_open(struct goldens *goldens, const char *const *stages, const char *folder);

/* A vp_tap; ctx is a struct goldens. */
void goldens_compare(void *ctx, const char *stage, size_t n_channels, size_t n_freq, size_t t,
                     const float *frame);

/* All frames of every stage were seen, and none was off by more than bar times the stage's largest
 * value. Frees what goldens holds. */
void goldens_expect(struct goldens *goldens, double bar, const char *what);

#endif
