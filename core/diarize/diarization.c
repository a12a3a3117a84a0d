/* One recording, step by step. */
#include "diarization.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "audio/elsewhere.h"
#include "audio/sniff.h"
#include "base/constants.h"
#include "diarize/channels.h"
#include "diarize/engines.h"
#include "diarize/options.h"
#include "voice/scratch.h"

/* Where a step ends changes nothing but the latency of others. */
#define STEP_S       0.04
#define STEP_TRACK_S 0.01 /* a stretch by itself takes 0.035 */
#define THRESHOLD    0.70 /* of models that state none */

struct vp_diarization {
    const vp_model *model;             /* borrowed */
    struct vp_diarize_options options; /* of the channel at hand, where each goes by itself */
    struct container container;
    struct pipeline pipeline;
    struct answer answer;
    struct channels channels;            /* where each goes by itself */
    struct vp_diarize_progress progress; /* behind the last step that went well */
    enum vp_status failed;               /* of an earlier step, with its sentence */
    struct vp_err failure;
};

/* The engine and its threshold; they are the same for every channel. */
static void choose_engine(vp_diarization *diarization, const vp_segmentation *segmentation)
{
    const vp_model *model = diarization->model;
    const struct vp_diarize_options *options = &diarization->options;
    const bool segments =
        options->engine == VP_DIARIZE_SEGMENTATION ||
        (options->engine == VP_DIARIZE_AUTO && segmentation != NULL && options->speech == NULL);
    const struct diarize_engine *engine = segments ? &diarize_segmentation : &diarize_vad;
    struct vp_diarization_result *result = &diarization->answer.result;
    result->engine = engine->name;
    result->threshold = !isnan(options->threshold)     ? options->threshold
                        : model->has_diarize_threshold ? model->diarize_threshold
                                                       : THRESHOLD;
    diarization->pipeline = (struct pipeline){
        .model = model,
        .segmentation = segments ? segmentation : NULL,
        .container = &diarization->container,
        .options = options,
        .engine = engine,
    };
}

/* Each channel by itself, the first of them first. */
static enum vp_status split(vp_diarization *diarization, struct vp_err *err)
{
    const enum vp_status status =
        channels_count(&diarization->channels, &diarization->container, err);
    if (status != VP_OK)
        return status;
    diarization->options.channel = 1;
    diarization->options.max_duration_s /= diarization->channels.n;
    return VP_OK;
}

enum vp_status vp_diarization_new(const vp_model *model, const vp_segmentation *segmentation,
                                  const struct vp_diarize_options *options, const void *bytes,
                                  size_t n_bytes, vp_diarization **out, struct vp_err *err)
{
    *out = NULL;
    enum vp_status status = options_check(options, segmentation, err);
    if (status != VP_OK)
        return status;
    vp_diarization *diarization = calloc(1, sizeof *diarization);
    if (diarization == NULL)
        return status_no_memory(err, "a diarization", sizeof *diarization);
    diarization->model = model;
    diarization->options = *options;
    choose_engine(diarization, segmentation);
    if (options->decoder != NULL) {
        const struct vp_recording recording = {
            .bytes = bytes, .n_bytes = n_bytes, .accept_damage = options->accept_damage};
        elsewhere_container(options->decoder, &recording, &diarization->container);
    } else {
        status = sniff_container((struct bytes){bytes, n_bytes}, &diarization->container, err);
        diarization->container.accept_damage = options->accept_damage;
    }
    if (status == VP_OK && options->channel == VP_CHANNEL_SPLIT)
        status = split(diarization, err);
    if (status == VP_OK)
        status = pipeline_open(&diarization->pipeline, err);
    if (status == VP_OK)
        *out = diarization;
    else
        vp_diarization_free(diarization);
    return status;
}

void vp_diarization_free(vp_diarization *diarization)
{
    if (diarization == NULL)
        return;
    pipeline_clear(&diarization->pipeline);
    answer_clear(&diarization->answer);
    channels_clear(&diarization->channels);
    free(diarization);
}

size_t vp_diarization_bytes(const vp_diarization *diarization)
{
    return sizeof *diarization + pipeline_bytes(&diarization->pipeline);
}

/* ---- steps ----------------------------------------------------------------------------------- */

/* Is the answer there, for all channels? */
static bool is_done(const vp_diarization *diarization)
{
    return diarization->failed == VP_OK && diarization->pipeline.stage == STAGE_DONE &&
           diarization->channels.n_done == diarization->channels.n;
}

static void report(vp_diarization *diarization)
{
    const struct channels *channels = &diarization->channels;
    const double n = channels->n > 0 ? channels->n : 1;
    const bool done = is_done(diarization);
    static const char *const stages[] = {
        [STAGE_EMBED] = "embed",
        [STAGE_CLUSTER] = "cluster",
        [STAGE_TRACK] = "track",
        [STAGE_DONE] = "done",
    };
    const double fraction = pipeline_fraction(&diarization->pipeline);
    diarization->progress = (struct vp_diarize_progress){
        .fraction = done ? 1.0 : (channels->n_done + fraction) / n,
        .stage = stages[diarization->pipeline.stage],
        .heard_s = channels->heard_s,
        .done = done,
    };
    if (!done || channels->n == 0)
        diarization->progress.heard_s += window_pass_heard_s(diarization->pipeline.windows);
}

/* The answer for a channel is there: on to the next one, or to the answer for all. */
static enum vp_status next_channel(vp_diarization *diarization, struct vp_err *err)
{
    struct channels *channels = &diarization->channels;
    struct pipeline *pipeline = &diarization->pipeline;
    channels_take(channels, &diarization->answer);
    if (channels->n_done == channels->n)
        return channels_join(channels, &diarization->options, diarization->model->info.dim,
                             &diarization->answer, err);
    const struct pipeline next = {
        .model = pipeline->model,
        .segmentation = pipeline->segmentation,
        .container = pipeline->container,
        .options = pipeline->options,
        .engine = pipeline->engine,
    };
    pipeline_clear(pipeline);
    *pipeline = next;
    diarization->options.channel++;
    return pipeline_open(pipeline, err);
}

/* A piece of work. */
static enum vp_status go_on(vp_diarization *diarization, vp_scratch *scratch, struct vp_err *err)
{
    enum vp_status status =
        pipeline_step(&diarization->pipeline, scratch, &diarization->answer, err);
    if (status == VP_OK && diarization->pipeline.stage == STAGE_DONE && diarization->channels.n > 0)
        status = next_channel(diarization, err);
    if (status != VP_OK)
        channels_explain(&diarization->channels, err);
    return status;
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

enum vp_status vp_diarization_step(vp_diarization *diarization, vp_scratch *scratch,
                                   struct vp_diarize_progress *progress, struct vp_err *err)
{
    scratch_check(scratch);
    const unsigned least_s = pipeline_least_scratch_s(&diarization->pipeline);
    if (scratch->model != diarization->model ||
        scratch->audio.capacity < (size_t)least_s * SAMPLE_RATE_HZ)
        return status_fail(err, VP_ERR_ARGUMENT,
                           "a diarization needs a scratch of the same model, for clips of %u s or "
                           "more; raise max_duration_s",
                           least_s);
    scratch->step = SCRATCH_EMPTY;
    const double start_s = now_s();
    while (diarization->failed == VP_OK && !is_done(diarization)) {
        diarization->failed = go_on(diarization, scratch, &diarization->failure);
        if (now_s() - start_s >=
            (diarization->pipeline.stage == STAGE_TRACK ? STEP_TRACK_S : STEP_S))
            break;
    }
    if (diarization->failed == VP_OK) /* else the next channel may not be open */
        report(diarization);
    *progress = diarization->progress;
    if (diarization->failed != VP_OK && err != NULL)
        *err = diarization->failure;
    return diarization->failed;
}

const struct vp_diarization_result *vp_diarization_result(const vp_diarization *diarization)
{
    return is_done(diarization) ? &diarization->answer.result : NULL;
}
