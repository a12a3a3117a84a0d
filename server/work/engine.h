/*
 * A loaded model with one scratch per worker and the result of its self-test: what a job runs on.
 * Immutable once opened but for the scratches, each of which only its worker touches. Counted:
 * the loop holds one reference for "current" and one for each job, so that a reload swaps the
 * engine while older jobs finish on the older one.
 */
#ifndef VP_ENGINE_H
#define VP_ENGINE_H

#include "config/config.h"
#include "diarization.h"

struct engine {
    unsigned magic;
    size_t n_references; /* changed by the loop alone */
    vp_model *model;
    const struct vp_model_info *info; /* borrowed from model */
    vp_segmentation *segmentation;    /* NULL: none is configured */
    struct vp_self_test self_test;
    bool has_threshold, has_calibration; /* the configuration's, else the model's */
    double threshold, slope, offset;
    size_t n_workers;
    vp_scratch *scratch[]; /* [n_workers] */
};

/* What a clip must satisfy by the configuration. [any] */
void engine_limits(const struct config *config, struct vp_limits *limits);
/* Opens config->model, makes the scratches, runs the self-test on the first. Takes a second or
 * so. Returns owned *out with one reference, NULL on error. [worker] */
enum vp_status engine_open(const struct config *config, struct engine **out,
                           struct vp_err *err) VP_MUST_CHECK;
struct engine *engine_hold(struct engine *engine); /* [loop] one more reference */
void engine_release(struct engine *engine);        /* [loop] takes one; NULL is legal */
void engine_free(struct engine *engine);           /* [any] one that nobody else has seen */

#endif
