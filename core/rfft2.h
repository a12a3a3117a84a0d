/*
 * Power spectra of two real signals of 512 samples at once, in double: one in each SIMD lane.
 *
 * Double, because a mel bin may hold 1e-10 of its frame's energy: in float the rounding of the
 * transform then moves its logarithm by up to 5e-3 (so it does in torchaudio). Debian's
 * library for this (kissfft) is built for float only, and takes twice as long.
 * Packing two real signals into one complex transform would be as fast, but rounding then leaks
 * from a loud frame into a quiet neighbour.
 */
#ifndef VP_RFFT2_H
#define VP_RFFT2_H

#include <stddef.h>
#include <stdint.h>

#define RFFT2_N      512u
#define RFFT2_N_BINS (RFFT2_N / 2 + 1)

typedef double pair __attribute__((vector_size(16)));

struct rfft2_bin {
    double re, im;
};

/* Tables; immutable once made, any thread. */
struct rfft2_plan {
    struct rfft2_bin twiddle[RFFT2_N]; /* exp(-2 pi i k / 512) */
    uint8_t order[RFFT2_N / 2];        /* k with its four base-4 digits reversed */
};
void rfft2_plan_init(struct rfft2_plan *plan);

/* signal [512] -> power [257], |X[k]|^2 times four. Overwrites signal. */
void rfft2_power(const struct rfft2_plan *plan, pair *restrict signal, pair *restrict power);

#endif
