/*
 * The front end on several frames at once, one in each lane of a vector of doubles: what one frame
 * holds never reaches another, and which lane it is in changes no bit.
 *
 * Double, because a mel bin may hold 1e-10 of its frame's energy: in float the rounding of the
 * transform then moves its logarithm by up to 5e-3 (so it does in torchaudio). Debian's library for
 * this (kissfft) is built for float only. Two real signals in one complex transform would be as
 * fast, but rounding then leaks from a loud frame into a quiet neighbour.
 *
 * One source for each instruction set; the plain one runs everywhere. No state; any thread.
 */
#ifndef VP_FBANK_KERNEL_H
#define VP_FBANK_KERNEL_H

#include "features/mel.h"
#include "features/rfft.h"
#include "voiceprint.h"

#define FBANK_FRAME_SAMPLES 400u /* 25 ms at 16 kHz */
#define FBANK_MOST_LANES    8u

struct fbank_kernel {
    size_t lanes; /* at most FBANK_MOST_LANES; arrays [n, lanes] begin on 64 bytes */
    /* frames: lanes times [400] -> signal [512, lanes]: mean removed, pre-emphasised, windowed,
     * scaled by half of 32768, zero beyond the frame */
    void (*window)(const double *window, const float *const *frames, double *signal);
    /* signal [512, lanes] -> power [257, lanes], |X[k]|^2 times four. Overwrites signal. */
    void (*power)(const struct rfft_plan *plan, double *signal, double *power);
    /* power [257, lanes] -> energies [lanes, n_mels] */
    void (*mel)(const struct mel_bank *mel, const double *power, float *energies);
};

/* The kernel for an instruction set (not AUTO); never NULL: the plain one where it is not there,
 * and for NEON, which is what the plain one is compiled to on ARM64. */
const struct fbank_kernel *fbank_kernel_get(enum vp_kernel kernel);

extern const struct fbank_kernel fbank_plain, fbank_avx2, fbank_avx512;

#endif
