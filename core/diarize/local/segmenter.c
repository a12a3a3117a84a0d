/* Samples pile up until a batch of windows is whole. */
#include "diarize/local/segmenter.h"

#include <stdlib.h>
#include <string.h>

#include "segmentation/powerset.h"
#include "segmentation/segmentation.h"

#define STRETCH ((SEG_BATCH - 1) * LOCAL_HOP + SEG_WINDOW_SAMPLES) /* samples of a batch */
#define ROOM    (STRETCH + MONO_BLOCK_SAMPLES)

struct segmenter {
    struct seg_state *state; /* owned */
    float *samples;          /* owned, [ROOM], from the next window's first sample on; behind n_held
                                all zero once the end was seen */
    size_t n_held, n_samples; /* and of the recording so far */
    bool ended;
    float *log_probs; /* owned, [SEG_BATCH, SEG_WINDOW_FRAMES, SEG_N_CLASSES] */
    struct local_masks masks;
};

enum vp_status segmenter_new(const vp_segmentation *segmentation, struct segmenter **out,
                             struct vp_err *err)
{
    *out = NULL;
    struct segmenter *s = calloc(1, sizeof *s);
    if (s == NULL)
        return status_no_memory(err, "the segmentation", sizeof *s);
    enum vp_status status = VP_OK;
    s->samples = calloc(ROOM, sizeof *s->samples);
    s->log_probs = calloc(SEG_BATCH * SEG_WINDOW_FRAMES * SEG_N_CLASSES, sizeof *s->log_probs);
    if (s->samples == NULL || s->log_probs == NULL)
        status = status_no_memory(err, "the segmentation", ROOM * sizeof *s->samples);
    if (status == VP_OK)
        status = seg_state_new(&segmentation->packed, SEG_BATCH, SEG_WINDOW_SAMPLES, LOCAL_HOP,
                               &s->state, err);
    if (status == VP_OK)
        *out = s;
    else
        segmenter_free(s);
    return status;
}

void segmenter_free(struct segmenter *segmenter)
{
    if (segmenter == NULL)
        return;
    seg_state_free(segmenter->state);
    local_masks_clear(&segmenter->masks);
    free(segmenter->samples);
    free(segmenter->log_probs);
    free(segmenter);
}

size_t segmenter_bytes(const struct segmenter *segmenter)
{
    return sizeof *segmenter + ROOM * sizeof(float) + seg_state_bytes(segmenter->state) +
           SEG_BATCH * SEG_WINDOW_FRAMES * SEG_N_CLASSES * sizeof(float) +
           local_masks_bytes(&segmenter->masks);
}

void segmenter_push(struct segmenter *segmenter, const float *samples, size_t n)
{
    memcpy(segmenter->samples + segmenter->n_held, samples, n * sizeof *samples);
    segmenter->n_held += n;
    segmenter->n_samples += n;
}

void segmenter_end(struct segmenter *segmenter)
{
    segmenter->ended = true;
    memset(segmenter->samples + segmenter->n_held, 0,
           (ROOM - segmenter->n_held) * sizeof *segmenter->samples);
}

/* Windows that the next batch has. */
static size_t n_due(const struct segmenter *segmenter)
{
    if (segmenter->n_held >= STRETCH)
        return SEG_BATCH;
    if (!segmenter->ended)
        return 0;
    return local_masks_n_windows(segmenter->n_samples) - segmenter->masks.n_windows;
}

bool segmenter_is_due(const struct segmenter *segmenter)
{
    return n_due(segmenter) > 0;
}

enum vp_status segmenter_run(struct segmenter *segmenter, struct vp_err *err)
{
    unsigned char masks[SEG_BATCH * SEG_WINDOW_FRAMES];
    struct segmenter *s = segmenter;
    const size_t due = n_due(s), n = due < SEG_BATCH ? due : SEG_BATCH;
    const struct seg_windows windows = {
        .samples = s->samples, .n_samples = SEG_WINDOW_SAMPLES, .hop = LOCAL_HOP, .n = n};
    const enum vp_status status = seg_state_run(s->state, &windows, NULL, s->log_probs, err);
    if (status != VP_OK)
        return status;
    powerset_decode(s->log_probs, n * SEG_WINDOW_FRAMES, masks);
    /* The windows' own seconds are let go of, the rest moves to the front. */
    const size_t gone = n * LOCAL_HOP, kept = s->n_held > gone ? s->n_held - gone : 0;
    memmove(s->samples, s->samples + gone, kept * sizeof *s->samples);
    memset(s->samples + kept, 0, (s->n_held - kept) * sizeof *s->samples);
    s->n_held = kept;
    return local_masks_add(&s->masks, masks, n, err);
}

const struct local_masks *segmenter_masks(const struct segmenter *segmenter)
{
    return &segmenter->masks;
}

size_t segmenter_n_samples(const struct segmenter *segmenter)
{
    return segmenter->n_samples;
}
