/* A diarization as a picture: the waveform in the speakers' colours, a lane of turns each below. */
#ifndef DIARIZE_PNG_H
#define DIARIZE_PNG_H

#include "diarization.h"

/* Draws result over the recording that it is of, which is decoded once more, into the file path.
 * False with *err filled. */
bool diarize_png(const char *path, const void *bytes, size_t n_bytes, unsigned channel,
                 const struct vp_diarization_result *result, struct vp_err *err);

#endif
