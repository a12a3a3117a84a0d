/*
 * What remains of windows that a segmentation network has heard: who of up to three local speakers
 * is heard in each frame, and an embedding of each of them.
 *
 * The trunk of the embedding network runs once a window; each local speaker is pooled from it under
 * his own mask, without the frames in which another one speaks too, where enough are left. A local
 * speaker of next to no frames has no embedding: he is counted, but not known. One owner at a time.
 */
#ifndef VP_LOCAL_SPEAKERS_H
#define VP_LOCAL_SPEAKERS_H

#include "segmentation/seg_state.h"
#include "segmentation/segmentation.h"
#include "voice/scratch.h"

#define LOCAL_SPEAKERS_HOP  16000u       /* samples from window to window: 1 s */
#define LOCAL_SPEAKERS_NONE ((size_t)-1) /* no embedding, or no speaker */

/* A local speaker of a window. */
struct local_speaker {
    size_t window;
    unsigned local;   /* bit of the masks */
    size_t embedding; /* index, or LOCAL_SPEAKERS_NONE */
    size_t n_alone;   /* frames in which nobody else speaks */
};

struct local_speakers {
    size_t dim;
    size_t n_windows, most_windows;
    unsigned char *masks; /* owned, [n_windows, SEG_WINDOW_FRAMES] */
    size_t n, most;
    struct local_speaker *list; /* owned, [n], by window, then local */
    size_t n_embeddings, most_embeddings;
    float *embeddings; /* owned, [n_embeddings, dim], L2 norm 1 */
    float *trunk;      /* owned, workspace */
    float *weights;    /* owned, workspace */
};

/* Starts as zeroes. VP_ERR_NO_MEMORY. */
enum vp_status local_speakers_init(struct local_speakers *locals, const vp_model *model,
                                   struct vp_err *err) VP_MUST_CHECK;
void local_speakers_clear(struct local_speakers *locals); /* what is inside; legal on zeroes */
size_t local_speakers_bytes(const struct local_speakers *locals);

/* The next window: samples [SEG_WINDOW_SAMPLES] and who speaks in its frames, masks
 * [SEG_WINDOW_FRAMES]. scratch holds clips of 10 s; its features are lost. VP_ERR_INFERENCE,
 * VP_ERR_NO_MEMORY. */
enum vp_status local_speakers_add(struct local_speakers *locals, vp_scratch *scratch,
                                  const float *samples, const unsigned char *masks,
                                  struct vp_err *err) VP_MUST_CHECK;

#endif
