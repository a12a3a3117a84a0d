/*
 * Voices of overlapping windows, joined to tracks: neighbours share nine of ten seconds, and who
 * speaks at the same moments in both is the same person. Nothing is asked of the embeddings yet.
 * One owner at a time.
 */
#ifndef VP_TRACKS_H
#define VP_TRACKS_H

#include "diarize/local/local_speakers.h"

struct tracks {
    size_t n;
    size_t *of_voice; /* owned, [locals->n]: track of each voice, in order of time */
    float *sums;      /* owned, [n, dim]: of embeddings, weighted by frames alone */
    double *weights;  /* owned, [n]: sums of the weights; 0: no voice has an embedding */
};

/* Frames of the recording at which a window begins: frames of windows do not meet, the nearest is
 * taken. */
size_t tracks_first_frame(size_t window);

/* VP_ERR_NO_MEMORY; clear *out also after an error. */
enum vp_status tracks_make(const struct local_speakers *locals, struct tracks *out,
                           struct vp_err *err) VP_MUST_CHECK;
void tracks_clear(struct tracks *tracks); /* legal on zeroes */

#endif
