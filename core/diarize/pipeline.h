/*
 * A recording on its way through the stages of a diarization: embedded, clustered, read a second
 * time, answered. The pieces of work that the steps of vp_diarization_step are made of. One owner.
 */
#ifndef VP_PIPELINE_H
#define VP_PIPELINE_H

#include "audio/container.h"
#include "cluster/cluster.h"
#include "diarize/answer.h"
#include "diarize/local/local_speakers.h"
#include "diarize/target/target_pass.h"
#include "diarize/turns.h"
#include "diarize/windows/window_pass.h"

enum stage {
    STAGE_EMBED,   /* the recording is read, speech found and embedded */
    STAGE_CLUSTER, /* embeddings become voices */
    STAGE_TRACK,   /* the recording is read again: which of the known voices speaks when */
    STAGE_DONE,    /* the answer is made */
};

struct diarize_engine;

struct pipeline {
    const vp_model *model;               /* borrowed, as are the next four */
    const vp_segmentation *segmentation; /* of the engine that needs one */
    const struct container *container;
    const struct vp_diarize_options *options;
    const struct diarize_engine *engine;
    enum stage stage;
    struct window_pass *windows; /* owned */
    struct cluster *cluster;     /* owned; from STAGE_CLUSTER on, where there is speech */
    struct tsvad *tsvad;         /* owned; NULL where there is none for the model */
    float *directions;           /* owned, [n_voices, dim], norm 1; known once clustered */
    size_t n_voices;
    struct local_speakers *locals; /* owned; of the segmentation engine, from STAGE_TRACK on */
    struct target_pass *target;    /* owned; from STAGE_TRACK on, where voices are followed */
};

/* What the two engines do differently behind the stages that they share. */
struct diarize_engine {
    enum vp_diarize_engine name;
    unsigned least_scratch_s; /* of the clips that the scratch must hold from the beginning */
    /* The windows are clustered. May two voices that are left be one? NULL: never. */
    bool (*are_one)(const struct pipeline *pipeline, const struct partition *partition);
    /* The voices are known. Can the recording be read again, to follow them? Fills what the second
     * pass needs beyond what all engines give it. VP_ERR_NO_MEMORY. */
    enum vp_status (*prepare_second_pass)(struct pipeline *pipeline,
                                          struct target_pass_known *known, bool *wanted,
                                          struct vp_err *err);
    /* Raw turns of the voices, of which there is at least one. VP_ERR_NO_MEMORY. */
    enum vp_status (*find_turns)(const struct pipeline *pipeline, struct turns *out,
                                 struct vp_err *err);
    bool (*tells_overlap)(const struct pipeline *pipeline);
};

/* The first four fields and engine are set, the rest is zero. VP_ERR_NO_MEMORY, and what
 * window_pass_new may say. Clear it also after an error. */
enum vp_status pipeline_open(struct pipeline *pipeline, struct vp_err *err) VP_MUST_CHECK;
void pipeline_clear(struct pipeline *pipeline); /* what is inside; legal on zeroes */

/* A piece of work: some milliseconds, or a tenth of a second of clustering. The one that makes
 * STAGE_DONE of the stage has filled answer, which holds the threshold. Errors: those of
 * vp_diarization_step. */
enum vp_status pipeline_step(struct pipeline *pipeline, vp_scratch *scratch, struct answer *answer,
                             struct vp_err *err) VP_MUST_CHECK;

/* Seconds of the clips that the scratch of the next step must hold. */
unsigned pipeline_least_scratch_s(const struct pipeline *pipeline);
double pipeline_fraction(const struct pipeline *pipeline); /* 0..1 of the whole work */
size_t pipeline_bytes(const struct pipeline *pipeline);

#endif
