/*
 * The classes of the segmentation network as sets of speakers: {}, {0}, {1}, {2}, {0,1}, {0,2},
 * {1,2}. No threshold: the most probable class of a frame decides. Any thread.
 */
#ifndef VP_POWERSET_H
#define VP_POWERSET_H

#include "segmentation/seg_net.h"

/* log_probs [n_frames, SEG_N_CLASSES] -> masks [n_frames]: bit s is set where local speaker s
 * speaks; of equal classes the first one. */
void powerset_decode(const float *log_probs, size_t n_frames, unsigned char *masks);

#endif
