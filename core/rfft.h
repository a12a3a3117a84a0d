/*
 * Discrete Fourier transform of a real signal, by kissfft.
 *
 *   X[k] = sum over n of x[n] exp(-2 pi i k n / N),   0 <= k <= N/2
 *
 * kissfft keeps a temporary buffer inside its plan, so a plan cannot be shared: one owner each.
 */
#ifndef VP_RFFT_H
#define VP_RFFT_H

#include "status.h"

struct rfft;

struct rfft_bin {
    float re, im;
};

/* A transform of n real samples; n is even. Returns owned *out (rfft_free), NULL on error:
 * VP_ERR_ARGUMENT, VP_ERR_NO_MEMORY. */
enum vp_status rfft_new(size_t n, struct rfft **out, struct vp_err *err) VP_MUST_CHECK;
void rfft_free(struct rfft *rfft); /* takes; NULL is legal */

/* signal [n] -> spectrum [n / 2 + 1], unscaled; no overlap. Never allocates, never fails. */
void rfft_forward(struct rfft *rfft, const float *restrict signal,
                  struct rfft_bin *restrict spectrum);

#endif
