/* The model, its scratches and its self-test as one counted object. */
#include "work/engine.h"

#include "util/thread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ENGINE_MAGIC = 0x656e676e };

void engine_limits(const struct config *config, struct vp_limits *limits)
{
    vp_limits_default(limits);
    limits->min_duration_s = config->min_duration_s;
    limits->warn_duration_s = config->warn_duration_s;
    limits->max_duration_s = config->max_duration_s;
    limits->silence_dbfs = config->silence_dbfs;
    limits->truncate = config->truncate;
    limits->max_threads = config->threads_per_request < config->workers
                              ? config->threads_per_request
                              : config->workers;
}

static enum vp_status make_scratches(struct engine *engine, const struct config *config,
                                     struct vp_err *err)
{
    struct vp_limits limits;
    engine_limits(config, &limits);
    enum vp_status status = VP_OK;
    for (size_t i = 0; i < engine->n_workers && status == VP_OK; i++)
        status = vp_scratch_new(engine->model, &limits, &engine->scratch[i], err);
    return status;
}

static void choose_thresholds(struct engine *engine, const struct config *config)
{
    const struct vp_model_info *info = engine->info;
    engine->has_threshold = config->has_threshold || info->has_threshold;
    engine->threshold = config->has_threshold ? config->threshold : info->threshold;
    engine->has_calibration = config->has_calibration || info->has_calibration;
    engine->slope = config->has_calibration ? config->calibration[0] : info->slope;
    engine->offset = config->has_calibration ? config->calibration[1] : info->offset;
}

/* The network that is named, or with "auto" the one that lies beside the model. */
static bool find_segmentation(const struct config *config, char *path, size_t n_path)
{
    if (config_names_segmentation(config))
        return snprintf(path, n_path, "%s", config->segmentation_model) > 0;
    return strcmp(config->segmentation_model, "auto") == 0 &&
           config->max_duration_s >= SEGMENTATION_WINDOW_S &&
           vp_segmentation_beside(config->model, path, n_path);
}

enum vp_status engine_open(const struct config *config, struct engine **out, struct vp_err *err)
{
    ON_WORKER();
    size_t n_bytes = sizeof(struct engine) + config->workers * sizeof(vp_scratch *);
    struct engine *engine = calloc(1, n_bytes);
    enum vp_status status = VP_ERR_NO_MEMORY;
    *out = NULL;
    if (engine == NULL) {
        *err = (struct vp_err){.status = status, .message = "out of memory for the engine"};
        return status;
    }
    engine->magic = ENGINE_MAGIC;
    engine->n_references = 1;
    engine->n_workers = config->workers;
    status = vp_model_open(config->model, config->kernel, &engine->model, err);
    if (status != VP_OK)
        goto out;
    char segmentation[sizeof config->segmentation_model];
    if (find_segmentation(config, segmentation, sizeof segmentation)) {
        status = vp_segmentation_open(segmentation, config->kernel, &engine->segmentation, err);
        if (status != VP_OK)
            goto out;
    }
    engine->info = vp_model_info(engine->model);
    choose_thresholds(engine, config);
    status = make_scratches(engine, config, err);
    if (status != VP_OK)
        goto out;
    status = vp_model_self_test(engine->scratch[0], &engine->self_test, err);
out:
    if (status != VP_OK)
        engine_free(engine);
    else
        *out = engine;
    return status;
}

struct engine *engine_hold(struct engine *engine)
{
    ON_LOOP();
    VP_CHECK_MAGIC(engine, ENGINE_MAGIC);
    engine->n_references++;
    return engine;
}

void engine_release(struct engine *engine)
{
    ON_LOOP();
    if (engine == NULL)
        return;
    VP_CHECK_MAGIC(engine, ENGINE_MAGIC);
    VP_BUG_IF(engine->n_references == 0);
    if (--engine->n_references == 0)
        engine_free(engine);
}

void engine_free(struct engine *engine)
{
    if (engine == NULL)
        return;
    VP_CHECK_MAGIC(engine, ENGINE_MAGIC);
    for (size_t i = 0; i < engine->n_workers; i++)
        vp_scratch_free(engine->scratch[i]);
    vp_segmentation_free(engine->segmentation);
    vp_model_free(engine->model);
    engine->magic = 0;
    free(engine);
}
