/* One block at a time; windows that are due come before the next block. */
#include "diarize/hearing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "audio/intake.h"
#include "diarize/speech/speech.h"
#include "diarize/speech/vad.h"
#include "features/frames.h"
#include "voice/score.h"
#include "voice/scratch.h"

/* Frames of one block, or those that the detector owes at the end; decisions that are delayed. */
#define MOST_DETECTED (MONO_BLOCK_SAMPLES / FBANK_HOP_SAMPLES + VAD_DELAY_FRAMES + 2)
#define MOST_DELAYED  128u

struct hearing {
    const vp_model *model;
    struct intake intake;
    bool ended; /* all samples were read */
    struct frames *frames;
    bool speech_given;
    struct vad *vad;      /* NULL where speech is given and the model has other features */
    float *probabilities; /* owned, [most_probabilities]: of speech, of the first n frames */
    size_t n_probabilities, most_probabilities;
    struct speech speech;
    struct segments segments;
    struct windows windows;
    bool is_due; /* window is the next to embed, as soon as its frames are there */
    struct window window;
    struct units units;
};

/* ---- beginning ------------------------------------------------------------------------------- */

/* Speech that the caller knows: segments from the start, and no detector. */
static enum vp_status take_speech(struct hearing *hearing, const struct vp_diarize_options *options,
                                  struct vp_err *err)
{
    hearing->speech_given = true;
    enum vp_status status = VP_OK;
    for (size_t i = 0; i < options->n_speech && status == VP_OK; i++) {
        const struct vp_span *span = &options->speech[i];
        struct segment segment = {
            .first = (size_t)(span->start_s * FRAMES_A_SECOND + 0.5),
            .end = (size_t)(span->end_s * FRAMES_A_SECOND + 0.5),
            .start_s = span->start_s,
            .end_s = span->end_s,
        };
        if (segment.end == segment.first)
            segment.end++;
        status = segments_add(&hearing->segments, &segment, err);
    }
    return status;
}

enum vp_status hearing_new(const vp_model *model, const struct container *container,
                           const struct vp_diarize_options *options, struct hearing **out,
                           struct vp_err *err)
{
    *out = NULL;
    if (options->speech == NULL && model->info.n_mels != VAD_N_MELS)
        return status_fail(err, VP_ERR_ARGUMENT,
                           "the speech detector takes %u mel bins, and this model has %zu; say "
                           "where there is speech",
                           VAD_N_MELS, model->info.n_mels);
    struct hearing *hearing = calloc(1, sizeof *hearing);
    if (hearing == NULL)
        return status_no_memory(err, "a hearing", sizeof *hearing);
    hearing->model = model;
    hearing->units.dim = model->info.dim;
    speech_start(&hearing->speech, &speech_default);
    enum vp_status status =
        frames_new(model->info.n_mels, MONO_BLOCK_SAMPLES, &hearing->frames, err);
    if (status == VP_OK)
        status = options->speech != NULL ? take_speech(hearing, options, err) : VP_OK;
    if (status == VP_OK && model->info.n_mels == VAD_N_MELS)
        status = vad_new(NULL, 0, &hearing->vad, err);
    if (status == VP_OK)
        status = intake_open(&hearing->intake, container, options->max_duration_s, err);
    if (status == VP_OK)
        *out = hearing;
    else
        hearing_free(hearing);
    return status;
}

void hearing_free(struct hearing *hearing)
{
    if (hearing == NULL)
        return;
    intake_close(&hearing->intake);
    frames_free(hearing->frames);
    vad_free(hearing->vad);
    free(hearing->probabilities);
    segments_clear(&hearing->segments);
    units_clear(&hearing->units);
    free(hearing);
}

/* ---- blocks ---------------------------------------------------------------------------------- */

/* Room for n more probabilities. */
static enum vp_status make_room(struct hearing *hearing, size_t n, struct vp_err *err)
{
    if (hearing->n_probabilities + n <= hearing->most_probabilities)
        return VP_OK;
    const size_t most = hearing->most_probabilities + hearing->most_probabilities / 2 + n + 4096;
    float *grown = realloc(hearing->probabilities, most * sizeof *grown);
    if (grown == NULL)
        return status_no_memory(err, "the probabilities of speech", most * sizeof *grown);
    hearing->probabilities = grown;
    hearing->most_probabilities = most;
    return VP_OK;
}

/* The latest n probabilities, which are in place already: kept, and cut into segments unless those
 * are given. */
static enum vp_status judge(struct hearing *hearing, size_t n, struct vp_err *err)
{
    unsigned char decided[MOST_DETECTED + MOST_DELAYED];
    const float *latest = hearing->probabilities + hearing->n_probabilities;
    hearing->n_probabilities += n;
    if (hearing->speech_given)
        return VP_OK;
    return segments_push(&hearing->segments, decided,
                         speech_push(&hearing->speech, latest, n, decided), err);
}

/* Frames from first on through the detector; ended: and what it still owes. */
static enum vp_status detect(struct hearing *hearing, size_t first, bool ended, struct vp_err *err)
{
    enum vp_status status = make_room(hearing, MOST_DETECTED, err);
    if (status != VP_OK)
        return status;
    status = judge(hearing,
                   vad_push(hearing->vad, frames_from(hearing->frames, first),
                            frames_end(hearing->frames) - first,
                            hearing->probabilities + hearing->n_probabilities),
                   err);
    if (status == VP_OK && ended)
        status = make_room(hearing, MOST_DETECTED, err);
    if (status != VP_OK || !ended)
        return status;
    status = judge(hearing,
                   vad_flush(hearing->vad, hearing->probabilities + hearing->n_probabilities), err);
    if (status != VP_OK || hearing->speech_given)
        return status;
    unsigned char decided[MOST_DELAYED];
    status =
        segments_push(&hearing->segments, decided, speech_finish(&hearing->speech, decided), err);
    return status == VP_OK
               ? segments_finish(&hearing->segments, hearing->intake.clip.duration_s, err)
               : status;
}

/* What is known of the recording only when it is over. */
static void conclude(struct hearing *hearing)
{
    struct vp_clip_info *clip = &hearing->intake.clip;
    clip->n_frames = frames_end(hearing->frames);
    for (size_t i = 0; i < hearing->segments.n; i++) /* what the caller gave may reach beyond */
        hearing->segments.list[i].end_s = fmin(hearing->segments.list[i].end_s, clip->duration_s);
}

static enum vp_status hear_block(struct hearing *hearing, vp_scratch *scratch, struct vp_err *err)
{
    size_t n;
    float *samples = scratch->audio.samples;
    enum vp_status status = intake_read(&hearing->intake, samples, &n, &hearing->ended, err);
    if (status != VP_OK)
        return status;
    const size_t first = frames_end(hearing->frames);
    frames_push(hearing->frames, scratch->fbank, samples, n);
    if (hearing->ended)
        conclude(hearing);
    return hearing->vad != NULL ? detect(hearing, first, hearing->ended, err) : VP_OK;
}

/* ---- windows --------------------------------------------------------------------------------- */

/* The window's frames, repeated to WINDOW_FRAMES, less their mean -> features [WINDOW_FRAMES] */
static void cut_window(const struct hearing *hearing, const struct window *window,
                       vp_scratch *scratch)
{
    const size_t n_mels = hearing->model->info.n_mels, n = window->end - window->first;
    const float *from = frames_from(hearing->frames, window->first);
    for (size_t t = 0; t < WINDOW_FRAMES; t++)
        memcpy(scratch->features + t * n_mels, from + t % n * n_mels, n_mels * sizeof *from);
    fbank_subtract_mean(scratch->fbank, scratch->features, WINDOW_FRAMES);
}

static enum vp_status embed_window(struct hearing *hearing, const struct window *window,
                                   vp_scratch *scratch, struct vp_err *err)
{
    float *embedding;
    double norm;
    enum vp_status status = units_room(&hearing->units, &embedding, err);
    if (status != VP_OK)
        return status;
    cut_window(hearing, window, scratch);
    status = resnet_forward(scratch->state, scratch->features, WINDOW_FRAMES, embedding, NULL, NULL,
                            err);
    if (status == VP_OK)
        status = score_judge(embedding, hearing->units.dim, &norm, err);
    if (status == VP_OK)
        status = vp_embedding_normalize(embedding, hearing->units.dim, &norm, err);
    if (status == VP_OK)
        units_keep(&hearing->units, window);
    return status;
}

/* Is a window due whose frames are there? At the end of the recording the rest must do. */
static bool find_window(struct hearing *hearing)
{
    const size_t n_frames = frames_end(hearing->frames);
    for (;;) {
        struct window *window = &hearing->window;
        if (!hearing->is_due)
            hearing->is_due = windows_next(&hearing->windows, &hearing->segments, window);
        if (!hearing->is_due || window->end <= n_frames)
            return hearing->is_due;
        if (!hearing->ended)
            return false;
        window->end = n_frames;
        if (window->first < window->end)
            return true;
        hearing->is_due = false; /* behind the end: speech that the caller gave, or a last 15 ms */
    }
}

enum vp_status hearing_step(struct hearing *hearing, vp_scratch *scratch, bool *done,
                            struct vp_err *err)
{
    *done = false;
    if (find_window(hearing)) {
        hearing->is_due = false;
        return embed_window(hearing, &hearing->window, scratch, err);
    }
    if (!hearing->ended)
        return hear_block(hearing, scratch, err);
    *done = true;
    return VP_OK;
}

/* ---- what was heard -------------------------------------------------------------------------- */

double hearing_progress(const struct hearing *hearing)
{
    return hearing->ended ? 1.0 : intake_progress(&hearing->intake);
}

double hearing_heard_s(const struct hearing *hearing)
{
    return (double)frames_end(hearing->frames) / FRAMES_A_SECOND;
}

const struct segments *hearing_segments(const struct hearing *hearing)
{
    return &hearing->segments;
}

const struct units *hearing_units(const struct hearing *hearing)
{
    return &hearing->units;
}

const struct vp_clip_info *hearing_clip(const struct hearing *hearing)
{
    return &hearing->intake.clip;
}

const float *hearing_probabilities(const struct hearing *hearing, size_t *n)
{
    *n = hearing->n_probabilities;
    return hearing->probabilities;
}

size_t hearing_bytes(const struct hearing *hearing)
{
    return sizeof *hearing + hearing->most_probabilities * sizeof(float) +
           frames_bytes(hearing->frames) + units_bytes(&hearing->units) +
           hearing->segments.capacity * sizeof *hearing->segments.list;
}
