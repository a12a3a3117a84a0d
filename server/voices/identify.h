/*
 * Who of the known voices speaks, or somebody else. Open set: the calibrated likelihood ratio LR_i
 * of each of N voices, and one for a stranger, weighted by what is known beforehand:
 *
 *   P(i)       = (1 - unknown) / N * LR_i / Z
 *   P(unknown) = unknown / Z,   Z = unknown + (1 - unknown) / N * sum of LR_i
 *
 * The more voices there are, the more one of them must resemble the recording to be named: a plain
 * threshold would accept more strangers as N grows.
 */
#ifndef VP_IDENTIFY_H
#define VP_IDENTIFY_H

#include "voices/voice_set.h"

enum { IDENTIFY_MAX_TOP = 100 };

/* By what it is decided. */
struct decision {
    bool has_threshold, has_calibration;
    double threshold;     /* cosine, below which nobody is named */
    double slope, offset; /* llr = slope * cosine + offset */
    double unknown_prior; /* 0 < p < 1: that a stranger speaks, before anything was heard */
};

struct candidate {
    const struct voice *voice; /* borrowed from the gallery */
    double score;              /* cosine */
    double probability;        /* posterior; without a calibration 0 */
};

struct identification {
    size_t n_voices;              /* that were compared: enrolled ones, of the model at hand */
    size_t n;                     /* candidates, the most similar first */
    double unknown_probability;   /* posterior; without a calibration 0 */
    double others_probability;    /* of all voices together that are no candidates, likewise */
    const struct voice *identity; /* NULL: a stranger, or nobody is sure enough */
    struct candidate candidates[IDENTIFY_MAX_TOP];
};

/* gallery may be NULL, an empty one; probe [dim] is normalised, 1 <= top <= IDENTIFY_MAX_TOP.
 * Without a calibration the best above the threshold is named; without either nobody is. [any] */
void identify(const struct gallery *gallery, const float *probe, const struct decision *decision,
              size_t top, struct identification *out);

/* The most similar voice of the gallery but the one of the id `but`; false: there is none. Not only
 * enrolled ones. [any] */
bool identify_nearest(const struct gallery *gallery, const float *probe, const char *but,
                      struct candidate *out);

#endif
