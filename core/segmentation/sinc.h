/*
 * The sinc filters: band-pass filters of 251 taps, given by two frequencies each, and their outputs
 * over a stretch of samples.
 *
 *   low  = 50 + |low_hz|      high = clamp(low + 50 + |band_hz|, 50, 8000)      band = high - low
 *   n_k  = 2 pi k / 16000,    w_k  = 0.54 + 0.46 cos(2 pi k / 250)              k = -125..125
 *   even = (sin(high n) - sin(low n)) / (n / 2) w / (2 band),  1 at k = 0
 *   odd  = (cos(low n) - cos(high n)) / (n / 2) w / (2 band),  0 at k = 0
 *
 * so even_k = even_-k and odd_k = -odd_-k: mirrored samples are added or subtracted first, and half
 * of the products remain. The taps are computed in double, once. Any thread.
 */
#ifndef VP_SINC_H
#define VP_SINC_H

#include "base/arena.h"
#include "segmentation/seg_net.h"

#define SINC_HALF (SEG_TAPS / 2)

struct sinc {
    size_t n_filters, n_row; /* floats of a row of outputs */
    float *even;             /* [SINC_HALF + 1, n_filters / 2]: k = 0..125 */
    float *odd;              /* [SINC_HALF, n_filters / 2]: k = 1..125 */
    float *gain;             /* [n_row]: sum of the taps, what a constant gives */
};

/* One filter pair's taps in double, k = -125..125. */
void sinc_taps(double low_hz, double band_hz, double even[SEG_TAPS], double odd[SEG_TAPS]);

/* Takes the places of net's filters from an arena (see arena_build), and fills them. */
void sinc_place(struct sinc *sinc, const struct seg_net *net, struct arena *arena);
void sinc_fill(struct sinc *sinc, const struct seg_net *net);

#define SINC_BLOCK       256u /* outputs whose folded samples lie in `fold` at a time */
#define SINC_FOLD_FLOATS (SINC_BLOCK * SEG_TAPS)

/* out [n_out, n_row]: output t is centred at sample 125 + 10 t. samples [241 + 10 n_out]. fold
 * [SINC_FOLD_FLOATS] is workspace. */
void sinc_run(const struct sinc *sinc, const float *samples, size_t n_out, float *fold, float *out);

#endif
