/* Samples pile up until a batch of windows is whole; its windows are embedded one by one. */
#include "diarize/listening.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/constants.h"
#include "diarize/crowd.h"
#include "segmentation/powerset.h"

#define STRETCH ((SEG_BATCH - 1) * VOICES_HOP + SEG_WINDOW_SAMPLES) /* samples of a batch */

struct listening {
    struct intake intake;
    struct seg_state *state; /* owned */
    float *samples;          /* owned, [STRETCH + MONO_BLOCK_SAMPLES], from the next window's first
                                sample on; behind n_held all zero once the end was seen */
    size_t n_held;
    bool ended;
    size_t n_samples;       /* of the recording so far */
    float *log_probs;       /* owned, [SEG_BATCH, SEG_WINDOW_FRAMES, SEG_N_CLASSES] */
    unsigned char *masks;   /* owned, [SEG_BATCH, SEG_WINDOW_FRAMES] */
    size_t n_batch, n_done; /* windows of the batch at hand, and those that are embedded */
    struct voices voices;
    double progress;
};

enum vp_status listening_new(const vp_model *model, const vp_segmentation *segmentation,
                             const struct container *container, double max_duration_s,
                             struct listening **out, struct vp_err *err)
{
    *out = NULL;
    struct listening *l = calloc(1, sizeof *l);
    if (l == NULL)
        return status_no_memory(err, "a hearing", sizeof *l);
    enum vp_status status = VP_OK;
    l->samples = calloc(STRETCH + MONO_BLOCK_SAMPLES, sizeof *l->samples);
    l->log_probs = calloc(SEG_BATCH * SEG_WINDOW_FRAMES * SEG_N_CLASSES, sizeof *l->log_probs);
    l->masks = calloc(SEG_BATCH, SEG_WINDOW_FRAMES);
    if (l->samples == NULL || l->log_probs == NULL || l->masks == NULL)
        status = status_no_memory(err, "a hearing", STRETCH * sizeof *l->samples);
    if (status == VP_OK)
        status =
            seg_state_new(segmentation, SEG_BATCH, SEG_WINDOW_SAMPLES, VOICES_HOP, &l->state, err);
    if (status == VP_OK)
        status = voices_init(&l->voices, model, err);
    if (status == VP_OK)
        status = intake_open(&l->intake, container, max_duration_s, err);
    if (status == VP_OK)
        *out = l;
    else
        listening_free(l);
    return status;
}

void listening_free(struct listening *listening)
{
    if (listening == NULL)
        return;
    intake_close(&listening->intake);
    seg_state_free(listening->state);
    voices_clear(&listening->voices);
    free(listening->samples);
    free(listening->log_probs);
    free(listening->masks);
    free(listening);
}

/* The next n windows, whose samples are there. */
static enum vp_status hear_batch(struct listening *l, size_t n, struct vp_err *err)
{
    const enum vp_status status = segmentation_run(l->state, l->samples, SEG_WINDOW_SAMPLES,
                                                   VOICES_HOP, n, NULL, NULL, l->log_probs, err);
    powerset_decode(l->log_probs, n * SEG_WINDOW_FRAMES, l->masks);
    l->n_batch = n;
    l->n_done = 0;
    return status;
}

/* Windows behind us, of those that the part of the file which was read makes for the whole. */
static double estimate(const struct listening *l)
{
    const double n_read = (double)crowd_n_windows(l->n_samples);
    const double share = (double)l->voices.n_windows / n_read;
    return l->ended ? share : share * intake_progress(&l->intake);
}

static enum vp_status embed_window(struct listening *l, vp_scratch *scratch, struct vp_err *err)
{
    const enum vp_status status =
        voices_add(&l->voices, scratch, l->samples + l->n_done * VOICES_HOP,
                   l->masks + l->n_done * SEG_WINDOW_FRAMES, err);
    l->n_done++;
    l->progress = fmax(l->progress, estimate(l));
    if (status != VP_OK || l->n_done < l->n_batch)
        return status;
    /* the batch is done with: its windows' own second is let go of, the rest moves to the front */
    const size_t gone = l->n_batch * VOICES_HOP, kept = l->n_held > gone ? l->n_held - gone : 0;
    memmove(l->samples, l->samples + gone, kept * sizeof *l->samples);
    memset(l->samples + kept, 0, (l->n_held - kept) * sizeof *l->samples);
    l->n_held = kept;
    l->n_batch = 0;
    return VP_OK;
}

static enum vp_status read_block(struct listening *l, struct vp_err *err)
{
    size_t n;
    const enum vp_status status =
        intake_read(&l->intake, l->samples + l->n_held, &n, &l->ended, err);
    if (status != VP_OK)
        return status;
    l->n_held += n;
    l->n_samples += n;
    if (l->ended) {
        memset(l->samples + l->n_held, 0,
               (STRETCH + MONO_BLOCK_SAMPLES - l->n_held) * sizeof *l->samples);
        l->intake.clip.n_frames = fbank_n_frames(l->n_samples);
    }
    return VP_OK;
}

enum vp_status listening_step(struct listening *l, vp_scratch *scratch, bool *done,
                              struct vp_err *err)
{
    *done = false;
    if (l->n_batch > 0)
        return embed_window(l, scratch, err);
    if (l->n_held >= STRETCH)
        return hear_batch(l, SEG_BATCH, err);
    if (!l->ended)
        return read_block(l, err);
    const size_t left = crowd_n_windows(l->n_samples) - l->voices.n_windows;
    *done = left == 0;
    return *done ? VP_OK : hear_batch(l, left < SEG_BATCH ? left : SEG_BATCH, err);
}

/* ---- what was heard ----------------------------------------------------------------------- */

double listening_progress(const struct listening *listening)
{
    return listening->progress;
}

double listening_heard_s(const struct listening *listening)
{
    return (double)listening->n_samples / SAMPLE_RATE_HZ;
}

const struct voices *listening_voices(const struct listening *listening)
{
    return &listening->voices;
}

const struct vp_clip_info *listening_clip(const struct listening *listening)
{
    return &listening->intake.clip;
}

size_t listening_n_samples(const struct listening *listening)
{
    return listening->n_samples;
}

size_t listening_bytes(const struct listening *listening)
{
    return sizeof *listening + (STRETCH + MONO_BLOCK_SAMPLES) * sizeof(float) +
           seg_state_bytes(listening->state) + voices_bytes(&listening->voices) +
           SEG_BATCH * SEG_WINDOW_FRAMES * (SEG_N_CLASSES * sizeof(float) + 1);
}
