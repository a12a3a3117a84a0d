/* Stage by stage. */
#include "diarize/pipeline.h"

#include <stdlib.h>

#include "base/constants.h"

#include "diarize/options.h"
#include "diarize/windows/window_labels.h"
#include "speech/vad.h"
#include "voice/scratch.h"

/* Of the whole work, for the progress: measured on ten minutes of conversation, one core. */
#define EMBED_SHARE 0.97
#define TRACK_SHARE 0.36 /* where the recording is read a second time */

/* The target-speaker net, if there is one for the model. */
static enum vp_status load_tsvad(struct pipeline *pipeline, struct vp_err *err)
{
    const vp_model *model = pipeline->model;
    const enum vp_status status = tsvad_new(NULL, 0, &pipeline->tsvad, err);
    if (status == VP_OK &&
        !(tsvad_serves(pipeline->tsvad, model->info.digest) && model->network->resnet != NULL &&
          resnet_trunk_rows(model->network->resnet) == TSVAD_TRUNK_ROWS &&
          model->info.n_mels == VAD_N_MELS)) {
        tsvad_free(pipeline->tsvad);
        pipeline->tsvad = NULL;
    }
    return status;
}

enum vp_status pipeline_open(struct pipeline *pipeline, struct vp_err *err)
{
    const enum vp_status status =
        window_pass_new(pipeline->model, pipeline->segmentation, pipeline->container,
                        pipeline->options, &pipeline->windows, err);
    return status == VP_OK ? load_tsvad(pipeline, err) : status;
}

void pipeline_clear(struct pipeline *pipeline)
{
    target_pass_free(pipeline->target);
    local_speakers_free(pipeline->locals);
    tsvad_free(pipeline->tsvad);
    cluster_free(pipeline->cluster);
    window_pass_free(pipeline->windows);
    free(pipeline->directions);
    *pipeline = (struct pipeline){0};
}

/* ---- stages ---------------------------------------------------------------------------------- */

/* Turns and speakers; n_voices is 0 where there was no speech. */
static enum vp_status conclude(struct pipeline *pipeline, struct answer *answer, struct vp_err *err)
{
    const size_t dim = pipeline->model->info.dim;
    struct answer_voice voices[VP_DIARIZE_MAX_SPEAKERS];
    struct turns turns = {0};
    enum vp_status status = VP_OK;
    answer->result.clip = *window_pass_clip(pipeline->windows);
    answer->tells_overlap = pipeline->engine->tells_overlap(pipeline);
    if (pipeline->n_voices > 0)
        status = pipeline->engine->find_turns(pipeline, &turns, err);
    for (size_t v = 0; v < pipeline->n_voices; v++) {
        const struct partition *partition = cluster_result(pipeline->cluster);
        voices[v] = (struct answer_voice){
            .embedding = pipeline->directions + v * dim,
            .coherence = partition->lengths[v] / (double)partition->sizes[v],
            .channel = pipeline->options->channel,
        };
    }
    if (status == VP_OK)
        status =
            answer_make(answer, pipeline->options, &turns, voices, pipeline->n_voices, dim, err);
    turns_clear(&turns);
    if (status == VP_OK)
        pipeline->stage = STAGE_DONE;
    return status;
}

static enum vp_status step_embed(struct pipeline *pipeline, vp_scratch *scratch,
                                 struct answer *answer, struct vp_err *err)
{
    bool done;
    const enum vp_status status = window_pass_step(pipeline->windows, scratch, &done, err);
    if (status != VP_OK || !done)
        return status;
    const struct window_embeddings *embedded = window_pass_embeddings(pipeline->windows);
    if (embedded->n == 0)
        return conclude(pipeline, answer, err);
    const struct cluster_rules rules =
        options_cluster_rules(pipeline->options, answer->result.threshold);
    pipeline->stage = STAGE_CLUSTER;
    return cluster_new(embedded->embeddings, embedded->n, embedded->dim, &rules, &pipeline->cluster,
                       err);
}

/* The directions of the voices. */
static enum vp_status know_voices(struct pipeline *pipeline, struct vp_err *err)
{
    struct partition *partition = cluster_result(pipeline->cluster);
    const size_t most = partition->n_clusters, dim = partition->dim;
    const size_t least = options_cluster_rules(pipeline->options, 0.0).min_clusters;
    const enum vp_status status =
        window_labels_smooth(partition, window_pass_embeddings(pipeline->windows)->windows, err);
    if (status != VP_OK)
        return status;
    if (partition->n_clusters == 2 && least < 2 && pipeline->engine->are_one != NULL &&
        pipeline->engine->are_one(pipeline, partition))
        partition_merge(partition, 0, 1);
    pipeline->directions = malloc(most * dim * sizeof *pipeline->directions);
    if (pipeline->directions == NULL)
        return status_no_memory(err, "the speakers", most * dim * sizeof *pipeline->directions);
    pipeline->n_voices = partition->n_clusters;
    for (size_t v = 0; v < pipeline->n_voices; v++)
        partition_direction(partition, v, pipeline->directions + v * dim);
    return VP_OK;
}

static enum vp_status step_cluster(struct pipeline *pipeline, const vp_scratch *scratch,
                                   struct answer *answer, struct vp_err *err)
{
    bool done, wanted = false;
    enum vp_status status = cluster_step(pipeline->cluster, &done, err);
    if (status == VP_OK && done)
        status = know_voices(pipeline, err);
    if (status != VP_OK || !done)
        return status;
    size_t n_probabilities; /* none for a model whose features the speech detector does not take */
    struct target_pass_known known = {
        .max_duration_s = pipeline->options->max_duration_s,
        .channel = window_pass_channel(pipeline->windows),
        .probabilities = window_pass_probabilities(pipeline->windows, &n_probabilities),
        .n_frames = window_pass_clip(pipeline->windows)->n_frames,
        .segments = window_pass_segments(pipeline->windows),
        .directions = pipeline->directions,
        .n_voices = pipeline->n_voices,
    };
    /* the second pass is made for the trunk of a ResNet, a frame of which is 80 ms */
    if (pipeline->model->network->resnet != NULL && known.n_frames >= TARGET_PASS_LEAST_FRAMES &&
        (double)scratch->audio.capacity >= TARGET_PASS_SCRATCH_S * SAMPLE_RATE_HZ)
        status = pipeline->engine->prepare_second_pass(pipeline, &known, &wanted, err);
    if (status != VP_OK)
        return status;
    if (!wanted)
        return conclude(pipeline, answer, err);
    pipeline->stage = STAGE_TRACK;
    return target_pass_new(pipeline->model, pipeline->tsvad, pipeline->container, &known,
                           &pipeline->target, err);
}

static enum vp_status step_track(struct pipeline *pipeline, vp_scratch *scratch,
                                 struct answer *answer, struct vp_err *err)
{
    bool done;
    const enum vp_status status = target_pass_step(pipeline->target, scratch, &done, err);
    return status == VP_OK && done ? conclude(pipeline, answer, err) : status;
}

enum vp_status pipeline_step(struct pipeline *pipeline, vp_scratch *scratch, struct answer *answer,
                             struct vp_err *err)
{
    switch (pipeline->stage) {
    case STAGE_EMBED:
        return step_embed(pipeline, scratch, answer, err);
    case STAGE_CLUSTER:
        return step_cluster(pipeline, scratch, answer, err);
    case STAGE_TRACK:
        return step_track(pipeline, scratch, answer, err);
    case STAGE_DONE:
        break;
    }
    return VP_OK;
}

/* ---- what is known meanwhile ----------------------------------------------------------------- */

unsigned pipeline_least_scratch_s(const struct pipeline *pipeline)
{
    return pipeline->stage == STAGE_TRACK ? (unsigned)TARGET_PASS_SCRATCH_S
                                          : pipeline->engine->least_scratch_s;
}

double pipeline_fraction(const struct pipeline *pipeline)
{
    const bool twice = pipeline->model->network->resnet != NULL &&
                       (pipeline->tsvad != NULL || pipeline->segmentation != NULL);
    const double track = twice ? TRACK_SHARE : 0.0, embed = EMBED_SHARE - track;
    switch (pipeline->stage) {
    case STAGE_EMBED:
        return embed * window_pass_progress(pipeline->windows);
    case STAGE_CLUSTER:
        return embed;
    case STAGE_TRACK:
        return embed + track * target_pass_progress(pipeline->target);
    case STAGE_DONE:
        break;
    }
    return 1.0;
}

size_t pipeline_bytes(const struct pipeline *pipeline)
{
    return (pipeline->windows != NULL ? window_pass_bytes(pipeline->windows) : 0) +
           (pipeline->cluster != NULL ? cluster_bytes(pipeline->cluster) : 0) +
           (pipeline->tsvad != NULL ? tsvad_bytes(pipeline->tsvad) : 0) +
           (pipeline->locals != NULL ? local_speakers_bytes(pipeline->locals) : 0) +
           (pipeline->target != NULL ? target_pass_bytes(pipeline->target) : 0);
}
