/* Turns from frames: the network says how many speak, the voices and windows say who they are. */
#include "diarize/engines.h"
#include "diarize/local/heard_as_one.h"
#include "diarize/local/reconstruction.h"
#include "diarize/windows/window_labels.h"
#include "voice/model.h"

#include <stdlib.h>

#define COSINE_WEIGHT 2.0F /* a cosine of 0.5 with a voice counts like a probability of 1 */

/* Two voices are one where the network hears them as one in so many of all chances, and they are
 * not clearly different. In recordings of two it is 0.05 to 0.67, where one was split 0.97 and
 * more. A third voice makes the network mix, so this is asked of the last two only. */
#define ENOUGH_AS_ONE 0.85
#define ENOUGH_ALIKE  0.5

static bool are_one(const struct pipeline *pipeline, const struct partition *partition)
{
    const struct labelled_windows labelled = {
        .windows = window_pass_embeddings(pipeline->windows)->windows,
        .labels = partition->labels,
        .n = partition->n,
    };
    size_t a, b;
    return partition_most_alike(partition, &a, &b) >= ENOUGH_ALIKE &&
           heard_as_one(window_pass_masks(pipeline->windows), &labelled) >= ENOUGH_AS_ONE;
}

static enum vp_status prepare_second_pass(struct pipeline *pipeline,
                                          struct target_pass_known *known, bool *wanted,
                                          struct vp_err *err)
{
    const struct local_voices voices = {pipeline->directions, pipeline->n_voices,
                                        pipeline->model->info.dim};
    const enum vp_status status =
        local_speakers_new(window_pass_masks(pipeline->windows), pipeline->model->network->resnet,
                           &voices, &pipeline->locals, err);
    known->locals = pipeline->locals;
    *wanted = status == VP_OK;
    return status;
}

/* What speaks for each voice where there is no target-speaker net: owned (free), [n windows,
 * n_voices], NULL without memory. */
static float *windows_evidence(const struct partition *partition)
{
    float *cosines = window_labels_cosines(partition);
    for (size_t i = 0; cosines != NULL && i < partition->n * partition->n_clusters; i++)
        cosines[i] *= COSINE_WEIGHT;
    return cosines;
}

static enum vp_status find_turns(const struct pipeline *pipeline, struct turns *out,
                                 struct vp_err *err)
{
    const struct partition *partition = cluster_result(pipeline->cluster);
    struct reconstruction input = {
        .masks = window_pass_masks(pipeline->windows),
        .voice_of = pipeline->locals != NULL ? local_speakers_voices(pipeline->locals) : NULL,
        .directions = pipeline->directions,
        .n_voices = pipeline->n_voices,
        .dim = partition->dim,
        .n_samples = window_pass_n_samples(pipeline->windows),
    };
    float *of_windows = NULL;
    if (pipeline->target != NULL && pipeline->tsvad != NULL) {
        input.evidence.rows = target_pass_probabilities(pipeline->target, &input.evidence.n_rows);
    } else {
        of_windows = windows_evidence(partition);
        if (of_windows == NULL)
            return status_no_memory(err, "the windows", partition->n * sizeof *of_windows);
        input.evidence = (struct voice_evidence){
            .rows = of_windows,
            .n_rows = partition->n,
            .windows = window_pass_embeddings(pipeline->windows)->windows,
        };
    }
    const enum vp_status status = reconstruction_turns(&input, out, err);
    free(of_windows);
    return status;
}

static bool tells_overlap(const struct pipeline *pipeline)
{
    (void)pipeline;
    return true;
}

const struct diarize_engine diarize_segmentation = {
    .name = VP_DIARIZE_SEGMENTATION,
    .least_scratch_s = (unsigned)TARGET_PASS_SCRATCH_S,
    .are_one = are_one,
    .prepare_second_pass = prepare_second_pass,
    .find_turns = find_turns,
    .tells_overlap = tells_overlap,
};
