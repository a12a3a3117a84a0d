/*
 * Names for the speakers of one recording: who of the known voices each of them is, all of them
 * together, because no two are the same person.
 *
 *   1. Each speaker by itself: the posteriors of identify.h, P(i|s) and P(unknown|s).
 *   2. To each speaker a voice or nobody, no voice twice, with the largest product of posteriors:
 *      who loses a voice to another speaker gets what is best without it.
 *   3. That voice is named if it is more probable than all else together, without what the others
 *      are: P(i|s) / (1 - sum of P(j|s) over the names j of the others) > 1/2.
 *
 * Without a calibration the sum of cosines above the threshold takes the place of the product.
 */
#ifndef VP_NAMING_H
#define VP_NAMING_H

#include "diarization.h"
#include "voices/identify.h"

struct naming {
    const struct voice *identity; /* borrowed from the gallery; NULL: nobody of it, or not sure */
    bool has_score;               /* false: there are no voices to compare with */
    double score; /* cosine with that voice; where nobody is named, with the most similar one */
    double probability; /* of the same, as in step 3; without a calibration 0 */
};

/* gallery may be NULL, an empty one. embedding [n] of [dim], normalised, n <=
 * VP_DIARIZE_MAX_SPEAKERS; out [n]. False: memory is short. [any] */
bool name_speakers(const struct gallery *gallery, const float *const *embedding, size_t n,
                   const struct decision *decision, struct naming *out) VP_MUST_CHECK;

#endif
