/*
 * What the two engines of a diarization have in common: stages, and a table of functions.
 *
 * An engine carries one recording from its bytes to the answer. It is opened in STAGE_EMBED, and
 * each step may move it to a later stage; some skip one. One owner at a time.
 */
#ifndef VP_DIARIZE_ENGINE_H
#define VP_DIARIZE_ENGINE_H

#include "audio/container.h"
#include "diarize/answer.h"

enum stage {
    STAGE_EMBED,   /* the recording is read, speech found and embedded */
    STAGE_CLUSTER, /* embeddings become voices */
    STAGE_TRACK,   /* the recording is read again: which of the known voices speaks when */
    STAGE_DONE,    /* the answer is made */
};

/* All borrowed for the engine's life. */
struct diarize_engine_input {
    const vp_model *model;
    const vp_segmentation *segmentation; /* or NULL */
    const struct container *container;
    const struct vp_diarize_options *options;
};

struct diarize_engine {
    /* Returns owned *out (free). Errors: those of vp_diarization_new. */
    enum vp_status (*open)(const struct diarize_engine_input *input, void **out,
                           struct vp_err *err);
    void (*free)(void *state); /* takes; NULL is legal */
    /* A piece of work: some milliseconds, or a tenth of a second of clustering. The step that makes
     * STAGE_DONE of *stage has filled answer. Errors: those of vp_diarization_step. */
    enum vp_status (*step)(void *state, vp_scratch *scratch, enum stage *stage,
                           struct answer *answer, struct vp_err *err);
    double (*threshold)(const vp_model *model);              /* where the options name none */
    double (*fraction)(const void *state, enum stage stage); /* 0..1 of the whole work */
    double (*heard_s)(const void *state);
    size_t (*bytes)(const void *state);
    unsigned (*least_scratch_s)(enum stage stage); /* of the clips that the scratch must hold */
};

extern const struct diarize_engine diarize_vad, diarize_segmentation;

#endif
