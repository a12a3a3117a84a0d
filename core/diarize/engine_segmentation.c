/* The engine with a segmentation network: windows of 10 s, whose local speakers are clustered. */
#include "diarize/engine.h"
#include "diarize/local/crowd.h"
#include "diarize/local/segmentation_pass.h"
#include "voice/model.h"

#include <stdlib.h>

#define EMBED_SHARE 0.97 /* of the whole work */

struct segmentation_engine {
    struct diarize_engine_input in;
    struct segmentation_pass *pass; /* owned */
};

static void segmentation_engine_free(void *state)
{
    struct segmentation_engine *engine = state;
    if (engine == NULL)
        return;
    segmentation_pass_free(engine->pass);
    free(engine);
}

static enum vp_status segmentation_engine_open(const struct diarize_engine_input *input, void **out,
                                               struct vp_err *err)
{
    *out = NULL;
    struct segmentation_engine *engine = calloc(1, sizeof *engine);
    if (engine == NULL)
        return status_no_memory(err, "a diarization", sizeof *engine);
    engine->in = *input;
    const enum vp_status status =
        segmentation_pass_new(input->model, input->segmentation, input->container,
                              input->options->max_duration_s, &engine->pass, err);
    if (status == VP_OK)
        *out = engine;
    else
        segmentation_engine_free(engine);
    return status;
}

static enum vp_status segmentation_engine_step(void *state, vp_scratch *scratch, enum stage *stage,
                                               struct answer *answer, struct vp_err *err)
{
    struct segmentation_engine *engine = state;
    bool done;
    enum vp_status status = segmentation_pass_step(engine->pass, scratch, &done, err);
    if (status != VP_OK || !done)
        return status;
    answer->result.clip = *segmentation_pass_clip(engine->pass);
    status = crowd_conclude(segmentation_pass_locals(engine->pass),
                            segmentation_pass_n_samples(engine->pass), engine->in.options, NULL, 0,
                            answer, err);
    if (status == VP_OK)
        *stage = STAGE_DONE;
    return status;
}

static double segmentation_engine_threshold(const vp_model *model)
{
    return crowd_threshold(&model->info);
}

static double segmentation_engine_fraction(const void *state, enum stage stage)
{
    const struct segmentation_engine *engine = state;
    return stage == STAGE_DONE ? 1.0 : EMBED_SHARE * segmentation_pass_progress(engine->pass);
}

static double segmentation_engine_heard_s(const void *state)
{
    return segmentation_pass_heard_s(((const struct segmentation_engine *)state)->pass);
}

static size_t segmentation_engine_bytes(const void *state)
{
    const struct segmentation_engine *engine = state;
    return sizeof *engine + segmentation_pass_bytes(engine->pass);
}

static unsigned segmentation_engine_least_scratch_s(enum stage stage)
{
    (void)stage;
    return 10;
}

const struct diarize_engine diarize_segmentation = {
    .open = segmentation_engine_open,
    .free = segmentation_engine_free,
    .step = segmentation_engine_step,
    .threshold = segmentation_engine_threshold,
    .fraction = segmentation_engine_fraction,
    .heard_s = segmentation_engine_heard_s,
    .bytes = segmentation_engine_bytes,
    .least_scratch_s = segmentation_engine_least_scratch_s,
};
