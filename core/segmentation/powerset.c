/* Classes -> sets of speakers. */
#include "segmentation/powerset.h"

#include "base/argmax.h"

static const unsigned char sets[SEG_N_CLASSES] = {
    0, 1u << 0, 1u << 1, 1u << 2, 1u << 0 | 1u << 1, 1u << 0 | 1u << 2, 1u << 1 | 1u << 2,
};

void powerset_decode(const float *log_probs, size_t n_frames, unsigned char *masks)
{
    for (size_t t = 0; t < n_frames; t++)
        masks[t] = sets[argmax_f32(log_probs + t * SEG_N_CLASSES, SEG_N_CLASSES)];
}
