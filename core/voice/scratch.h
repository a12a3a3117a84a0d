/*
 * The workspace of one worker, and the clip that is in it. Inside the library only.
 *
 * The step says how far the clip has come; a step asked for too early is VP_ERR_ARGUMENT, never
 * an answer from the clip before.
 */
#ifndef VP_SCRATCH_H
#define VP_SCRATCH_H

#include "audio/audio.h"
#include "base/arena.h"
#include "speech/detector.h"
#include "voice/model.h"

enum scratch_step { SCRATCH_EMPTY, SCRATCH_SAMPLES, SCRATCH_LOG_MEL, SCRATCH_FEATURES };

struct vp_scratch {
    uint32_t magic;        /* SCRATCH_MAGIC while alive: these pass through void * */
    const vp_model *model; /* borrowed, outlives the scratch */
    struct vp_limits limits;
    struct arena arena;        /* holds samples and features */
    struct audio_buffer audio; /* samples in the arena */
    float *features;           /* in the arena, [max_frames, n_mels] */
    size_t n_frames;           /* that features holds of the clip at hand */
    unsigned char
        *speech;     /* in the arena, [max_frames]: 1 at and near what vp_clip_speech heard, */
    bool leaves_out; /* and the other frames are not embedded */
    struct fbank_work *fbank;        /* owned */
    struct fbank_work *speech_fbank; /* of the speech detector: owned, or fbank itself */
    struct detector *detector;       /* owned; NULL where the model has other features */
    struct network_state *state;     /* owned */
    enum scratch_step step;
};

#define SCRATCH_MAGIC 0x76707363u /* "vpsc" */

/* Aborts unless scratch is a live one. */
void scratch_check(const vp_scratch *scratch);

#endif
