/* Classes -> sets of speakers. */
#include "segmentation/powerset.h"

static const unsigned char sets[SEG_N_CLASSES] = {
    0, 1u << 0, 1u << 1, 1u << 2, 1u << 0 | 1u << 1, 1u << 0 | 1u << 2, 1u << 1 | 1u << 2,
};

void powerset_decode(const float *log_probs, size_t n_frames, unsigned char *masks)
{
    for (size_t t = 0; t < n_frames; t++) {
        const float *row = log_probs + t * SEG_N_CLASSES;
        size_t best = 0;
        for (size_t k = 1; k < SEG_N_CLASSES; k++)
            if (row[k] > row[best])
                best = k;
        masks[t] = sets[best];
    }
}
