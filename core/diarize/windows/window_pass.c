/* One block at a time; windows that are due come before the next block. */
#include "diarize/windows/window_pass.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "audio/intake.h"
#include "base/array.h"
#include "diarize/local/segmenter.h"
#include "features/frames.h"
#include "speech/speech.h"
#include "speech/vad.h"
#include "voice/score.h"
#include "voice/scratch.h"

/* Frames of one block, or those that the detector owes at the end; decisions that are delayed. */
#define MOST_DETECTED (MONO_BLOCK_SAMPLES / FBANK_HOP_SAMPLES + VAD_DELAY_FRAMES + 2)
#define MOST_DELAYED  128u
/* Frames at hand: windows are placed up to 3 s behind, the detector decides 2 s late. */
#define KEPT           1024u
#define KEPT_SEGMENTED (size_t)(FRAMES_A_SECOND * (SEGMENTER_DELAY_S + 4.0))
#define MOST_DECIDED   64u /* frames of the segmentation network's speech at once */

struct window_pass {
    const vp_model *model;
    struct intake intake;
    bool ended; /* all samples were read */
    struct frames *frames;
    struct frames *speech_frames; /* the detector's: frames itself where the front end is one */
    bool speech_given;
    struct segmenter *segmenter; /* owned; NULL where there is none, or speech is given */
    struct vad *vad;             /* NULL where speech is given and the model has other features */
    float *probabilities;        /* owned, [most_probabilities]: of speech, of the first n frames */
    size_t n_probabilities, most_probabilities;
    struct speech speech;
    struct segments segments;
    struct windows windows;
    bool is_due; /* window is the next to embed, as soon as its frames are there */
    struct window window;
    struct window_embeddings embedded;
};

/* ---- beginning ------------------------------------------------------------------------------- */

/* Speech that the caller knows: segments from the start, and no detector. */
static enum vp_status take_speech(struct window_pass *pass,
                                  const struct vp_diarize_options *options, struct vp_err *err)
{
    pass->speech_given = true;
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
        status = segments_add(&pass->segments, &segment, err);
    }
    return status;
}

enum vp_status window_pass_new(const vp_model *model, const vp_segmentation *segmentation,
                               const struct container *container,
                               const struct vp_diarize_options *options, struct window_pass **out,
                               struct vp_err *err)
{
    *out = NULL;
    const bool detects = options->speech == NULL && segmentation == NULL;
    if (detects && model->info.n_mels != VAD_N_MELS)
        return status_fail(err, VP_ERR_ARGUMENT,
                           "the speech detector takes %u mel bins, and this model has %zu; say "
                           "where there is speech",
                           VAD_N_MELS, model->info.n_mels);
    struct window_pass *pass = calloc(1, sizeof *pass);
    if (pass == NULL)
        return status_no_memory(err, "the first pass", sizeof *pass);
    pass->model = model;
    pass->embedded.dim = model->info.dim;
    speech_start(&pass->speech, &speech_default);
    enum vp_status status =
        frames_new(model->info.n_mels, MONO_BLOCK_SAMPLES,
                   segmentation != NULL ? KEPT_SEGMENTED : KEPT, &pass->frames, err);
    if (status == VP_OK)
        status = options->speech != NULL ? take_speech(pass, options, err) : VP_OK;
    if (status == VP_OK && segmentation != NULL)
        status = segmenter_new(segmentation, &pass->segmenter, err);
    pass->speech_frames = pass->frames;
    if (status == VP_OK && model->speech_fbank != NULL)
        status =
            frames_new(model->info.n_mels, MONO_BLOCK_SAMPLES, KEPT, &pass->speech_frames, err);
    if (status == VP_OK && model->info.n_mels == VAD_N_MELS)
        status = vad_new(NULL, 0, model->info.kernel, &pass->vad, err);
    if (status == VP_OK)
        status =
            intake_open(&pass->intake, container, options->max_duration_s, options->channel, err);
    if (status == VP_OK)
        *out = pass;
    else
        window_pass_free(pass);
    return status;
}

void window_pass_free(struct window_pass *pass)
{
    if (pass == NULL)
        return;
    intake_close(&pass->intake);
    if (pass->speech_frames != pass->frames)
        frames_free(pass->speech_frames);
    frames_free(pass->frames);
    vad_free(pass->vad);
    segmenter_free(pass->segmenter);
    free(pass->probabilities);
    segments_clear(&pass->segments);
    window_embeddings_clear(&pass->embedded);
    free(pass);
}

/* ---- blocks ---------------------------------------------------------------------------------- */

/* Room for n more probabilities. */
static enum vp_status make_room(struct window_pass *pass, size_t n, struct vp_err *err)
{
    const size_t needed = pass->n_probabilities + n;
    float *probabilities =
        array_room(pass->probabilities, &pass->most_probabilities, needed, sizeof *probabilities);
    if (probabilities == NULL)
        return status_no_memory(err, "the probabilities of speech", needed * sizeof *probabilities);
    pass->probabilities = probabilities;
    return VP_OK;
}

/* Does the detector decide what is speech? Else its probabilities are kept for the second pass. */
static bool detects_speech(const struct window_pass *pass)
{
    return !pass->speech_given && pass->segmenter == NULL;
}

/* The latest n probabilities, which are in place already: kept, and cut into segments unless those
 * are given. */
static enum vp_status judge(struct window_pass *pass, size_t n, struct vp_err *err)
{
    unsigned char decided[MOST_DETECTED + MOST_DELAYED];
    const float *latest = pass->probabilities + pass->n_probabilities;
    pass->n_probabilities += n;
    if (!detects_speech(pass))
        return VP_OK;
    return segments_push(&pass->segments, decided, speech_push(&pass->speech, latest, n, decided),
                         err);
}

/* Frames from first on through the detector; ended: and what it still owes. */
static enum vp_status detect(struct window_pass *pass, size_t first, bool ended, struct vp_err *err)
{
    enum vp_status status = make_room(pass, MOST_DETECTED, err);
    if (status != VP_OK)
        return status;
    status = judge(pass,
                   vad_push(pass->vad, frames_from(pass->speech_frames, first),
                            frames_end(pass->speech_frames) - first,
                            pass->probabilities + pass->n_probabilities),
                   err);
    if (status == VP_OK && ended)
        status = make_room(pass, MOST_DETECTED, err);
    if (status != VP_OK || !ended)
        return status;
    status = judge(pass, vad_flush(pass->vad, pass->probabilities + pass->n_probabilities), err);
    if (status != VP_OK || !detects_speech(pass))
        return status;
    unsigned char decided[MOST_DELAYED];
    status = segments_push(&pass->segments, decided, speech_finish(&pass->speech, decided), err);
    return status == VP_OK ? segments_finish(&pass->segments, pass->intake.clip.duration_s, err)
                           : status;
}

/* What is known of the recording only when it is over. */
static void conclude(struct window_pass *pass)
{
    struct vp_clip_info *clip = &pass->intake.clip;
    clip->n_frames = frames_end(pass->frames);
    for (size_t i = 0; i < pass->segments.n; i++) /* what the caller gave may reach beyond */
        pass->segments.list[i].end_s = fmin(pass->segments.list[i].end_s, clip->duration_s);
}

static enum vp_status hear_block(struct window_pass *pass, vp_scratch *scratch, struct vp_err *err)
{
    size_t n;
    float *samples = scratch->audio.samples;
    enum vp_status status = intake_read(&pass->intake, samples, &n, &pass->ended, err);
    if (status != VP_OK)
        return status;
    const size_t first = frames_end(pass->frames);
    frames_push(pass->frames, scratch->fbank, samples, n);
    if (pass->speech_frames != pass->frames)
        frames_push(pass->speech_frames, scratch->speech_fbank, samples, n);
    if (pass->segmenter != NULL)
        segmenter_push(pass->segmenter, samples, n);
    if (pass->ended) {
        conclude(pass);
        if (pass->segmenter != NULL)
            segmenter_end(pass->segmenter);
    }
    return pass->vad != NULL ? detect(pass, first, pass->ended, err) : VP_OK;
}

/* A batch of the segmentation network, and the frames of 10 ms that are decided by it: speech is
 * where at least half of the windows hear anybody. */
static enum vp_status segment_batch(struct window_pass *pass, struct vp_err *err)
{
    enum vp_status status = segmenter_run(pass->segmenter, err);
    const struct local_masks *masks = segmenter_masks(pass->segmenter);
    const bool over = pass->ended && !segmenter_is_due(pass->segmenter);
    const size_t last = local_masks_n_frames(masks) - 1;
    const size_t n_decided = over ? last + 1 : local_masks_first_frame(masks->n_windows);
    unsigned char decided[MOST_DECIDED];
    size_t n = 0;
    for (size_t i = pass->segments.n_frames; status == VP_OK && i < frames_end(pass->frames); i++) {
        const size_t t = local_masks_frame_at(i * FBANK_HOP_SAMPLES + FBANK_HOP_SAMPLES / 2);
        if (t >= n_decided && !over)
            break;
        decided[n++] = local_masks_speech(masks, t < last ? t : last);
        if (n == MOST_DECIDED) {
            status = segments_push(&pass->segments, decided, n, err);
            n = 0;
        }
    }
    if (status == VP_OK)
        status = segments_push(&pass->segments, decided, n, err);
    return status == VP_OK && over
               ? segments_finish(&pass->segments, pass->intake.clip.duration_s, err)
               : status;
}

/* ---- windows --------------------------------------------------------------------------------- */

/* The window's frames, repeated to WINDOW_FRAMES, less their mean -> features [WINDOW_FRAMES] */
static void cut_window(const struct window_pass *pass, const struct window *window,
                       vp_scratch *scratch)
{
    const size_t n_mels = pass->model->info.n_mels, n = window->end - window->first;
    const float *from = frames_from(pass->frames, window->first);
    for (size_t t = 0; t < WINDOW_FRAMES; t++)
        memcpy(scratch->features + t * n_mels, from + t % n * n_mels, n_mels * sizeof *from);
    fbank_subtract_mean(scratch->fbank, scratch->features, WINDOW_FRAMES);
}

static enum vp_status embed_window(struct window_pass *pass, const struct window *window,
                                   vp_scratch *scratch, struct vp_err *err)
{
    float *embedding;
    double norm;
    enum vp_status status = window_embeddings_room(&pass->embedded, &embedding, err);
    if (status != VP_OK)
        return status;
    cut_window(pass, window, scratch);
    status = network_forward(scratch->state, scratch->features, WINDOW_FRAMES, embedding, NULL,
                             NULL, err);
    if (status == VP_OK)
        status = score_judge(embedding, pass->embedded.dim, &norm, err);
    if (status == VP_OK)
        status = vp_embedding_normalize(embedding, pass->embedded.dim, &norm, err);
    if (status == VP_OK)
        window_embeddings_keep(&pass->embedded, window);
    return status;
}

/* Is a window due whose frames are there? At the end of the recording the rest must do. */
static bool find_window(struct window_pass *pass)
{
    const size_t n_frames = frames_end(pass->frames);
    for (;;) {
        struct window *window = &pass->window;
        if (!pass->is_due)
            pass->is_due = windows_next(&pass->windows, &pass->segments, window);
        if (!pass->is_due || window->end <= n_frames)
            return pass->is_due;
        if (!pass->ended)
            return false;
        window->end = n_frames;
        if (window->first < window->end)
            return true;
        pass->is_due = false; /* behind the end: speech that the caller gave, or a last 15 ms */
    }
}

enum vp_status window_pass_step(struct window_pass *pass, vp_scratch *scratch, bool *done,
                                struct vp_err *err)
{
    *done = false;
    if (find_window(pass)) {
        pass->is_due = false;
        return embed_window(pass, &pass->window, scratch, err);
    }
    if (pass->segmenter != NULL && segmenter_is_due(pass->segmenter))
        return segment_batch(pass, err);
    if (!pass->ended)
        return hear_block(pass, scratch, err);
    *done = true;
    return VP_OK;
}

/* ---- what was heard -------------------------------------------------------------------------- */

double window_pass_progress(const struct window_pass *pass)
{
    return pass->ended ? 1.0 : intake_progress(&pass->intake);
}

double window_pass_heard_s(const struct window_pass *pass)
{
    return (double)frames_end(pass->frames) / FRAMES_A_SECOND;
}

const struct segments *window_pass_segments(const struct window_pass *pass)
{
    return &pass->segments;
}

const struct window_embeddings *window_pass_embeddings(const struct window_pass *pass)
{
    return &pass->embedded;
}

const struct vp_clip_info *window_pass_clip(const struct window_pass *pass)
{
    return &pass->intake.clip;
}

const float *window_pass_probabilities(const struct window_pass *pass, size_t *n)
{
    *n = pass->n_probabilities;
    return pass->probabilities;
}

const struct local_masks *window_pass_masks(const struct window_pass *pass)
{
    return pass->segmenter != NULL ? segmenter_masks(pass->segmenter) : NULL;
}

unsigned window_pass_channel(const struct window_pass *pass)
{
    return pass->intake.channel;
}

size_t window_pass_n_samples(const struct window_pass *pass)
{
    return pass->segmenter != NULL ? segmenter_n_samples(pass->segmenter) : 0;
}

size_t window_pass_bytes(const struct window_pass *pass)
{
    const size_t n_speech =
        pass->speech_frames != pass->frames ? frames_bytes(pass->speech_frames) : 0;
    return sizeof *pass + pass->most_probabilities * sizeof(float) + frames_bytes(pass->frames) +
           n_speech + window_embeddings_bytes(&pass->embedded) +
           pass->segments.capacity * sizeof *pass->segments.list +
           (pass->segmenter != NULL ? segmenter_bytes(pass->segmenter) : 0);
}
