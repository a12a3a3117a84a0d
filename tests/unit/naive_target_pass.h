/*
 * The second pass over a recording by its definition: no stretch left out, no buffer that slides.
 * The features, the trunk, the detector and the net are those of core/, judged elsewhere.
 */
#ifndef VP_NAIVE_TARGET_PASS_H
#define VP_NAIVE_TARGET_PASS_H

#include "diarize/target/tsvad.h"
#include "voiceprint.h"

struct naive_target_pass {
    size_t n_frames, n_trunk, n_voices;
    float *trunk, *cosines, *speech, *projected; /* owned, of the recording: see tsvad_input */
    float *probabilities;                        /* owned, [n_trunk, 4, n_voices] */
};

/* What the speech detector says of samples [n], 16 kHz: owned (free), one for each frame. */
float *naive_detect(vp_scratch *scratch, const float *samples, size_t n);

/* samples [n], 16 kHz; directions [n_voices, dim]. Fails the test without memory. Free with
 * naive_target_pass_free. */
struct naive_target_pass naive_track(vp_scratch *scratch, struct tsvad *tsvad, const float *samples,
                                     size_t n, const float *directions, size_t n_voices);
void naive_target_pass_free(struct naive_target_pass *twin); /* what is inside, not the struct */

#endif
