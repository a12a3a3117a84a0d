/*
 * From clips to a voice: whether they are one person's, and what they are together.
 */
#ifndef VP_ENROL_H
#define VP_ENROL_H

#include "voices/change.h"

/* The clips of a voice with their embeddings, as the store's thread holds them for a change. */
struct clips {
    size_t n;
    struct voice_clip clip[VOICE_MAX_CLIPS];
    float *embeddings; /* owned [VOICE_MAX_CLIPS, dim], normalised */
};

/* The cosine from which a clip agrees with the others of its voice; false: without a calibration
 * nothing is asked. [any] */
bool enrol_agreement(bool has_calibration, double slope, double offset, double *cosine);

/* Does each of the clips from `first` on agree with the mean of all others? False: problem names
 * the one that agrees least, counted from `first`. [any] */
bool enrol_judge(const struct clips *clips, size_t dim, size_t first, double agreement,
                 struct problem *problem) VP_MUST_CHECK;

/* A voice of these clips, with one reference, and its embedding row [dim]. NULL: problem says why.
 * [any] */
struct voice *enrol_make(const char *id, const struct clips *clips, size_t dim, double min_speech_s,
                         float *row, struct problem *problem);

#endif
