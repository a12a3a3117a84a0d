/*
 * Mel filter bank: triangles over the bins of a power spectrum, Kaldi's rules.
 *
 *   mel(f) = 1127 ln(1 + f / 700);   n_mels triangles, equally spaced on that scale, each from the
 *   centre of its left neighbour to that of its right one; weights linear in mel, peak 1.
 *
 * Bins strictly inside a triangle are stored as one run. Immutable after mel_bank_new: any thread.
 */
#ifndef VP_MEL_H
#define VP_MEL_H

#include "base/status.h"

struct mel_filter {
    size_t first_bin, n_bins;
    const float *weights; /* [n_bins], borrowed from the bank */
};

struct mel_bank {
    size_t n_mels;
    struct mel_filter *filters; /* owned, [n_mels] */
    float *weights;             /* owned, the runs of all filters one behind the other */
};

/* Triangles between low_hz and high_hz over the n_fft / 2 + 1 bins of a spectrum of n_fft samples
 * at rate_hz. Fills *bank (mel_bank_free). VP_ERR_ARGUMENT when there are no triangles or one is
 * so narrow that it holds no bin; VP_ERR_NO_MEMORY. On error *bank is empty. */
enum vp_status mel_bank_init(struct mel_bank *bank, size_t n_mels, size_t n_fft, double rate_hz,
                             double low_hz, double high_hz, struct vp_err *err) VP_MUST_CHECK;
void mel_bank_free(struct mel_bank *bank); /* what is inside, not the struct */

#endif
