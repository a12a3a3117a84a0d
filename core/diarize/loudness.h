/*
 * A plain speech detector: what stands above a noise floor that is followed as it rises and falls,
 * and a quarter of a second after it. A stream; one owner at a time.
 */
#ifndef VP_LOUDNESS_H
#define VP_LOUDNESS_H

#include <stddef.h>

/* Starts as zeroes. */
struct loudness {
    float floor;
    size_t n_frames, n_held; /* held: frames for which speech still lasts */
};

/* features [n, n_mels], mean not removed -> speech [n], 1 or 0. */
void loudness_push(struct loudness *loudness, const float *features, size_t n, size_t n_mels,
                   unsigned char *speech);

#endif
