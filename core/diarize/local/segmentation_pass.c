/* Samples pile up until a batch of windows is whole; its windows are embedded one by one. */
#include "diarize/local/segmentation_pass.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/constants.h"
#include "diarize/local/crowd.h"
#include "segmentation/powerset.h"

#define STRETCH                                                                                    \
    ((SEG_BATCH - 1) * LOCAL_SPEAKERS_HOP + SEG_WINDOW_SAMPLES) /* samples of a batch              \
                                                                 */

struct segmentation_pass {
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
    struct local_speakers locals;
    double progress;
};

enum vp_status segmentation_pass_new(const vp_model *model, const vp_segmentation *segmentation,
                                     const struct container *container, double max_duration_s,
                                     struct segmentation_pass **out, struct vp_err *err)
{
    *out = NULL;
    struct segmentation_pass *pass = calloc(1, sizeof *pass);
    if (pass == NULL)
        return status_no_memory(err, "the first pass", sizeof *pass);
    enum vp_status status = VP_OK;
    pass->samples = calloc(STRETCH + MONO_BLOCK_SAMPLES, sizeof *pass->samples);
    pass->log_probs =
        calloc(SEG_BATCH * SEG_WINDOW_FRAMES * SEG_N_CLASSES, sizeof *pass->log_probs);
    pass->masks = calloc(SEG_BATCH, SEG_WINDOW_FRAMES);
    if (pass->samples == NULL || pass->log_probs == NULL || pass->masks == NULL)
        status = status_no_memory(err, "the first pass", STRETCH * sizeof *pass->samples);
    if (status == VP_OK)
        status = seg_state_new(&segmentation->packed, SEG_BATCH, SEG_WINDOW_SAMPLES,
                               LOCAL_SPEAKERS_HOP, &pass->state, err);
    if (status == VP_OK)
        status = local_speakers_init(&pass->locals, model, err);
    if (status == VP_OK)
        status = intake_open(&pass->intake, container, max_duration_s, err);
    if (status == VP_OK)
        *out = pass;
    else
        segmentation_pass_free(pass);
    return status;
}

void segmentation_pass_free(struct segmentation_pass *pass)
{
    if (pass == NULL)
        return;
    intake_close(&pass->intake);
    seg_state_free(pass->state);
    local_speakers_clear(&pass->locals);
    free(pass->samples);
    free(pass->log_probs);
    free(pass->masks);
    free(pass);
}

/* The next n windows, whose samples are there. */
static enum vp_status hear_batch(struct segmentation_pass *pass, size_t n, struct vp_err *err)
{
    const struct seg_windows windows = {.samples = pass->samples,
                                        .n_samples = SEG_WINDOW_SAMPLES,
                                        .hop = LOCAL_SPEAKERS_HOP,
                                        .n = n};
    const enum vp_status status = seg_state_run(pass->state, &windows, NULL, pass->log_probs, err);
    powerset_decode(pass->log_probs, n * SEG_WINDOW_FRAMES, pass->masks);
    pass->n_batch = n;
    pass->n_done = 0;
    return status;
}

/* Windows behind us, of those that the part of the file which was read makes for the whole. */
static double estimate(const struct segmentation_pass *pass)
{
    const double n_read = (double)crowd_n_windows(pass->n_samples);
    const double share = (double)pass->locals.n_windows / n_read;
    return pass->ended ? share : share * intake_progress(&pass->intake);
}

static enum vp_status embed_window(struct segmentation_pass *pass, vp_scratch *scratch,
                                   struct vp_err *err)
{
    const enum vp_status status = local_speakers_add(
        &pass->locals, scratch, pass->samples + pass->n_done * LOCAL_SPEAKERS_HOP,
        pass->masks + pass->n_done * SEG_WINDOW_FRAMES, err);
    pass->n_done++;
    pass->progress = fmax(pass->progress, estimate(pass));
    if (status != VP_OK || pass->n_done < pass->n_batch)
        return status;
    /* the batch is done with: its windows' own second is let go of, the rest moves to the front */
    const size_t gone = pass->n_batch * LOCAL_SPEAKERS_HOP,
                 kept = pass->n_held > gone ? pass->n_held - gone : 0;
    memmove(pass->samples, pass->samples + gone, kept * sizeof *pass->samples);
    memset(pass->samples + kept, 0, (pass->n_held - kept) * sizeof *pass->samples);
    pass->n_held = kept;
    pass->n_batch = 0;
    return VP_OK;
}

static enum vp_status read_block(struct segmentation_pass *pass, struct vp_err *err)
{
    size_t n;
    const enum vp_status status =
        intake_read(&pass->intake, pass->samples + pass->n_held, &n, &pass->ended, err);
    if (status != VP_OK)
        return status;
    pass->n_held += n;
    pass->n_samples += n;
    if (pass->ended) {
        memset(pass->samples + pass->n_held, 0,
               (STRETCH + MONO_BLOCK_SAMPLES - pass->n_held) * sizeof *pass->samples);
        pass->intake.clip.n_frames = fbank_n_frames(pass->n_samples);
    }
    return VP_OK;
}

enum vp_status segmentation_pass_step(struct segmentation_pass *pass, vp_scratch *scratch,
                                      bool *done, struct vp_err *err)
{
    *done = false;
    if (pass->n_batch > 0)
        return embed_window(pass, scratch, err);
    if (pass->n_held >= STRETCH)
        return hear_batch(pass, SEG_BATCH, err);
    if (!pass->ended)
        return read_block(pass, err);
    const size_t left = crowd_n_windows(pass->n_samples) - pass->locals.n_windows;
    *done = left == 0;
    return *done ? VP_OK : hear_batch(pass, left < SEG_BATCH ? left : SEG_BATCH, err);
}

/* ---- what was heard ----------------------------------------------------------------------- */

double segmentation_pass_progress(const struct segmentation_pass *pass)
{
    return pass->progress;
}

double segmentation_pass_heard_s(const struct segmentation_pass *pass)
{
    return (double)pass->n_samples / SAMPLE_RATE_HZ;
}

const struct local_speakers *segmentation_pass_locals(const struct segmentation_pass *pass)
{
    return &pass->locals;
}

const struct vp_clip_info *segmentation_pass_clip(const struct segmentation_pass *pass)
{
    return &pass->intake.clip;
}

size_t segmentation_pass_n_samples(const struct segmentation_pass *pass)
{
    return pass->n_samples;
}

size_t segmentation_pass_bytes(const struct segmentation_pass *pass)
{
    return sizeof *pass + (STRETCH + MONO_BLOCK_SAMPLES) * sizeof(float) +
           seg_state_bytes(pass->state) + local_speakers_bytes(&pass->locals) +
           SEG_BATCH * SEG_WINDOW_FRAMES * (SEG_N_CLASSES * sizeof(float) + 1);
}
