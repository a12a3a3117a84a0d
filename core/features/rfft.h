/*
 * Tables of a real Fourier transform of 512 samples, by a complex one of 256 in radix 4. The
 * transform itself is core/features/simd/fbank_simd.c. Immutable once made; any thread.
 */
#ifndef VP_RFFT_H
#define VP_RFFT_H

#include <stddef.h>
#include <stdint.h>

#define RFFT_N      512u
#define RFFT_N_BINS (RFFT_N / 2 + 1)

struct rfft_bin {
    double re, im;
};

struct rfft_plan {
    struct rfft_bin twiddle[RFFT_N]; /* exp(-2 pi i k / 512) */
    uint8_t order[RFFT_N / 2];       /* k with its four base-4 digits reversed */
};
void rfft_plan_init(struct rfft_plan *plan);

#endif
