/*
 * The engine that needs nothing but the embedding model: speech detection, windows of 1.5 s,
 * clustering, and, where there is a target-speaker net for the model, a second pass in which each
 * voice is followed by itself.
 */
#include "base/constants.h"
#include "diarize/engine.h"
#include "diarize/options.h"
#include "diarize/speech/vad.h"
#include "diarize/target/target_pass.h"
#include "diarize/target/target_turns.h"
#include "diarize/windows/window_labels.h"
#include "diarize/windows/window_pass.h"
#include "voice/scratch.h"

#include <stdlib.h>

#define EMBED_SHARE 0.97 /* of the whole work */
#define TRACK_SHARE 0.36 /* of it, where voices are tracked; measured on an hour of talk */
#define THRESHOLD   0.70 /* of models that state none */

struct vad_engine {
    struct diarize_engine_input in;
    struct window_pass *windows;
    struct cluster *cluster;    /* owned; from STAGE_CLUSTER on, where there is speech */
    struct tsvad *tsvad;        /* owned; NULL where there is none for the model */
    float *directions;          /* owned, [n_clusters, dim]; known once clustered */
    struct target_pass *target; /* owned; in STAGE_TRACK */
};

static void vad_engine_free(void *state)
{
    struct vad_engine *engine = state;
    if (engine == NULL)
        return;
    window_pass_free(engine->windows);
    target_pass_free(engine->target);
    tsvad_free(engine->tsvad);
    free(engine->directions);
    cluster_free(engine->cluster);
    free(engine);
}

/* The target-speaker net, if there is one for the model. */
static enum vp_status load_tsvad(struct vad_engine *engine, struct vp_err *err)
{
    const vp_model *model = engine->in.model;
    const enum vp_status status = tsvad_new(NULL, 0, &engine->tsvad, err);
    if (status == VP_OK && !(tsvad_serves(engine->tsvad, model->info.digest) &&
                             resnet_trunk_rows(model->resnet) == TSVAD_TRUNK_ROWS &&
                             model->info.n_mels == VAD_N_MELS)) {
        tsvad_free(engine->tsvad);
        engine->tsvad = NULL;
    }
    return status;
}

static enum vp_status vad_engine_open(const struct diarize_engine_input *input, void **out,
                                      struct vp_err *err)
{
    *out = NULL;
    struct vad_engine *engine = calloc(1, sizeof *engine);
    if (engine == NULL)
        return status_no_memory(err, "a diarization", sizeof *engine);
    engine->in = *input;
    enum vp_status status =
        window_pass_new(input->model, input->container, input->options, &engine->windows, err);
    if (status == VP_OK)
        status = load_tsvad(engine, err);
    if (status == VP_OK)
        *out = engine;
    else
        vad_engine_free(engine);
    return status;
}

/* ---- the answer ------------------------------------------------------------------------------ */

/* Turns of the voices as they were tracked; a voice that was never heard clearly keeps those that
 * its windows gave it. */
static enum vp_status track_turns(const struct vad_engine *engine, size_t n_voices,
                                  struct turns *turns, struct vp_err *err)
{
    const struct vp_diarize_options *options = engine->in.options;
    struct turns of_windows = *turns;
    *turns = (struct turns){0};
    bool heard[VP_DIARIZE_MAX_SPEAKERS] = {false};
    struct target_activity activity = {.n_voices = n_voices,
                                       .segments = window_pass_segments(engine->windows),
                                       .exact = options->speech != NULL,
                                       .duration_s = window_pass_clip(engine->windows)->duration_s};
    activity.probabilities = target_pass_probabilities(engine->target, &activity.n_parts);
    enum vp_status status = target_turns_find(&activity, turns, err);
    for (size_t i = 0; i < turns->n; i++) /* what is shorter will be dropped */
        if (turns->list[i].end_s - turns->list[i].start_s >= options->min_on_s)
            heard[turns->list[i].speaker] = true;
    for (size_t i = 0; i < of_windows.n && status == VP_OK; i++)
        if (!heard[of_windows.list[i].speaker])
            status = turns_add(turns, &of_windows.list[i], err);
    turns_clear(&of_windows);
    return status;
}

/* Turns and speakers from windows and their clusters; partition NULL: there was no speech. */
static enum vp_status conclude(const struct vad_engine *engine, const struct partition *partition,
                               enum stage *stage, struct answer *answer, struct vp_err *err)
{
    const size_t dim = engine->in.model->info.dim;
    struct answer_voice voices[VP_DIARIZE_MAX_SPEAKERS];
    struct turns turns = {0};
    size_t n_voices = 0;
    enum vp_status status = VP_OK;
    answer->result.clip = *window_pass_clip(engine->windows);
    answer->tells_overlap = engine->target != NULL || (partition == NULL && engine->tsvad != NULL);
    if (partition != NULL) {
        n_voices = partition->n_clusters;
        status = window_labels_turns(partition, window_pass_embeddings(engine->windows)->windows,
                                     window_pass_segments(engine->windows), &turns, err);
    }
    if (status == VP_OK && engine->target != NULL)
        status = track_turns(engine, n_voices, &turns, err);
    for (size_t v = 0; v < n_voices && status == VP_OK; v++)
        voices[v] = (struct answer_voice){
            .embedding = engine->directions + v * dim,
            .coherence = partition->lengths[v] / (double)partition->sizes[v],
        };
    if (status == VP_OK)
        status = answer_make(answer, engine->in.options, &turns, voices, n_voices, dim, err);
    turns_clear(&turns);
    if (status == VP_OK)
        *stage = STAGE_DONE;
    return status;
}

/* ---- steps ----------------------------------------------------------------------------------- */

static enum vp_status step_embed(struct vad_engine *engine, vp_scratch *scratch, enum stage *stage,
                                 struct answer *answer, struct vp_err *err)
{
    bool done;
    const enum vp_status status = window_pass_step(engine->windows, scratch, &done, err);
    if (status != VP_OK || !done)
        return status;
    const struct window_embeddings *embedded = window_pass_embeddings(engine->windows);
    if (embedded->n == 0)
        return conclude(engine, NULL, stage, answer, err);
    const struct cluster_rules rules =
        options_cluster_rules(engine->in.options, answer->result.threshold);
    *stage = STAGE_CLUSTER;
    return cluster_new(embedded->embeddings, embedded->n, embedded->dim, &rules, &engine->cluster,
                       err);
}

/* The voices are known: their directions, and the second pass where there can be one. */
static enum vp_status settle(struct vad_engine *engine, const vp_scratch *scratch,
                             enum stage *stage, struct answer *answer, struct vp_err *err)
{
    struct partition *partition = cluster_result(engine->cluster);
    const size_t n = partition->n_clusters, dim = partition->dim;
    enum vp_status status =
        window_labels_smooth(partition, window_pass_embeddings(engine->windows)->windows, err);
    if (status != VP_OK)
        return status;
    engine->directions = malloc(n * dim * sizeof *engine->directions);
    if (engine->directions == NULL)
        return status_no_memory(err, "the speakers", n * dim * sizeof *engine->directions);
    for (size_t v = 0; v < partition->n_clusters; v++)
        partition_direction(partition, v, engine->directions + v * dim);
    size_t n_probabilities;
    const float *probabilities = window_pass_probabilities(engine->windows, &n_probabilities);
    const struct target_pass_known known = {
        .max_duration_s = engine->in.options->max_duration_s,
        .n_frames = n_probabilities,
        .probabilities = probabilities,
        .segments = window_pass_segments(engine->windows),
        .directions = engine->directions,
        .n_voices = partition->n_clusters,
    };
    if (engine->tsvad == NULL || known.n_frames < TARGET_PASS_LEAST_FRAMES ||
        (double)scratch->audio.capacity < TARGET_PASS_SCRATCH_S * SAMPLE_RATE_HZ)
        return conclude(engine, partition, stage, answer, err);
    *stage = STAGE_TRACK;
    return target_pass_new(engine->in.model, engine->tsvad, engine->in.container, &known,
                           &engine->target, err);
}

static enum vp_status vad_engine_step(void *state, vp_scratch *scratch, enum stage *stage,
                                      struct answer *answer, struct vp_err *err)
{
    struct vad_engine *engine = state;
    bool done;
    enum vp_status status;
    switch (*stage) {
    case STAGE_EMBED:
        return step_embed(engine, scratch, stage, answer, err);
    case STAGE_CLUSTER:
        status = cluster_step(engine->cluster, &done, err);
        return status == VP_OK && done ? settle(engine, scratch, stage, answer, err) : status;
    case STAGE_TRACK:
        status = target_pass_step(engine->target, scratch, &done, err);
        return status == VP_OK && done
                   ? conclude(engine, cluster_result(engine->cluster), stage, answer, err)
                   : status;
    case STAGE_DONE:
        break;
    }
    return VP_OK;
}

/* ---- what is known meanwhile ----------------------------------------------------------------- */

static double vad_engine_threshold(const vp_model *model)
{
    return model->has_diarize_threshold ? model->diarize_threshold : THRESHOLD;
}

/* The first pass has a smaller share where a second one follows. */
static double vad_engine_fraction(const void *state, enum stage stage)
{
    const struct vad_engine *engine = state;
    const double track = engine->tsvad != NULL ? TRACK_SHARE : 0.0;
    const double embed = EMBED_SHARE - track;
    switch (stage) {
    case STAGE_EMBED:
        return embed * window_pass_progress(engine->windows);
    case STAGE_CLUSTER:
        return embed;
    case STAGE_TRACK:
        return embed + track * target_pass_progress(engine->target);
    case STAGE_DONE:
        break;
    }
    return 1.0;
}

static double vad_engine_heard_s(const void *state)
{
    return window_pass_heard_s(((const struct vad_engine *)state)->windows);
}

static size_t vad_engine_bytes(const void *state)
{
    const struct vad_engine *engine = state;
    return sizeof *engine + window_pass_bytes(engine->windows) +
           (engine->cluster != NULL ? cluster_bytes(engine->cluster) : 0) +
           (engine->tsvad != NULL ? tsvad_bytes(engine->tsvad) : 0) +
           (engine->target != NULL ? target_pass_bytes(engine->target) : 0);
}

static unsigned vad_engine_least_scratch_s(enum stage stage)
{
    return stage == STAGE_TRACK ? (unsigned)TARGET_PASS_SCRATCH_S : 2;
}

const struct diarize_engine diarize_vad = {
    .open = vad_engine_open,
    .free = vad_engine_free,
    .step = vad_engine_step,
    .threshold = vad_engine_threshold,
    .fraction = vad_engine_fraction,
    .heard_s = vad_engine_heard_s,
    .bytes = vad_engine_bytes,
    .least_scratch_s = vad_engine_least_scratch_s,
};
