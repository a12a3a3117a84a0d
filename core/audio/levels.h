/*
 * The levels of a stream, added up block by block. What quality_measure says of a clip, less the
 * speech, which a detector knows better. One owner at a time.
 */
#ifndef VP_LEVELS_H
#define VP_LEVELS_H

#include <stddef.h>
#include <stdint.h>

#include "audio/mono.h"

/* Starts as zeroes. */
struct levels {
    double sum, squares; /* of all samples */
    double high_band;    /* energy above 4 kHz, in the blocks' own measure */
    uint64_t n;
};

/* samples [n], finite, 16 kHz mono. */
void levels_add(struct levels *levels, const float *samples, size_t n);

/* Fills the levels of info, and those of its warnings that follow from them, from all blocks and
 * what the decoder found. */
void levels_fill(const struct levels *levels, const struct mono_facts *facts,
                 struct vp_clip_info *info);

#endif
