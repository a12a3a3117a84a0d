/*
 * Does the segmentation network hear two voices of a recording as one? Clustering splits one person
 * sooner than it should where somebody speaks almost alone; the network, which hears ten seconds at
 * once, then has a single local speaker for both halves. A pure function; any thread.
 */
#ifndef VP_HEARD_AS_ONE_H
#define VP_HEARD_AS_ONE_H

#include "diarize/local/local_masks.h"
#include "diarize/windows/windows.h"

/* Of windows of 1.5 s [n], n >= 1, what voice each is, 0 or 1. */
struct labelled_windows {
    const struct window *windows; /* in order of time */
    const size_t *labels;
    size_t n;
};

/* Of all pairs of frames within a window of 10 s, each with one speaker, one of voice 0, the other
 * of voice 1: the share in which both are one local speaker. 0 where there is no such pair. A frame
 * is of the voice of the labelled window nearest to it. */
double heard_as_one(const struct local_masks *masks, const struct labelled_windows *labelled);

#endif
