/* Turns from labelled windows, or from voices that were tracked one by one. */
#include "diarize/engines.h"
#include "diarize/target/target_turns.h"
#include "diarize/windows/window_labels.h"

static enum vp_status prepare_second_pass(struct pipeline *pipeline,
                                          struct target_pass_known *known, bool *wanted,
                                          struct vp_err *err)
{
    (void)known;
    (void)err;
    *wanted = pipeline->tsvad != NULL;
    return VP_OK;
}

/* A voice that was never heard clearly keeps the turns that its windows gave it. */
static enum vp_status followed_turns(const struct pipeline *pipeline, struct turns *turns,
                                     struct vp_err *err)
{
    const struct vp_diarize_options *options = pipeline->options;
    struct turns of_windows = *turns;
    *turns = (struct turns){0};
    bool heard[VP_DIARIZE_MAX_SPEAKERS] = {false};
    struct target_activity activity = {.n_voices = pipeline->n_voices,
                                       .segments = window_pass_segments(pipeline->windows),
                                       .exact = options->speech != NULL,
                                       .duration_s =
                                           window_pass_clip(pipeline->windows)->duration_s};
    activity.probabilities = target_pass_probabilities(pipeline->target, &activity.n_parts);
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

static enum vp_status find_turns(const struct pipeline *pipeline, struct turns *out,
                                 struct vp_err *err)
{
    const enum vp_status status = window_labels_turns(
        cluster_result(pipeline->cluster), window_pass_embeddings(pipeline->windows)->windows,
        window_pass_segments(pipeline->windows), out, err);
    return status == VP_OK && pipeline->target != NULL ? followed_turns(pipeline, out, err)
                                                       : status;
}

static bool tells_overlap(const struct pipeline *pipeline)
{
    return pipeline->target != NULL || (pipeline->n_voices == 0 && pipeline->tsvad != NULL);
}

const struct diarize_engine diarize_vad = {
    .name = VP_DIARIZE_VAD,
    .least_scratch_s = 2,
    .prepare_second_pass = prepare_second_pass,
    .find_turns = find_turns,
    .tells_overlap = tells_overlap,
};
