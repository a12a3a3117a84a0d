/* GET /info: what is loaded, what is allowed, what it runs on. */
#include "request/answer.h"
#include "util/thread.h"
#include "util/version.h"

static struct json_build counts(const size_t *count, size_t n)
{
    struct json_build array = json_begin_array();
    for (size_t i = 0; i < n; i++)
        json_put_count(&array, NULL, count[i]);
    return array;
}

static struct json_build model_details(const struct vp_model_info *info)
{
    struct json_build model = json_begin_object();
    json_put_text(&model, "name", info->name);
    json_put_text_or_null(&model, "license", info->license);
    json_put_text_or_null(&model, "origin", info->origin);
    json_put_text(&model, "format", info->format);
    json_put_text(&model, "network", info->network);
    json_put_text(&model, "front_end", info->front_end);
    json_put_text(&model, "digest", info->digest);
    json_put_count(&model, "dim", info->dim);
    json_put_count(&model, "sample_rate", info->sample_rate_hz);
    json_put_count(&model, "n_mels", info->n_mels);
    json_put_count(&model, "parameters", info->n_parameters);
    json_put_build(&model, "blocks", counts(info->blocks, info->n_stages));
    json_put_build(&model, "channels", counts(info->channels, info->n_stages));
    json_put_flag(&model, "untrained", info->untrained);
    json_put_count(&model, "weights_bytes", info->weights_bytes);
    return model;
}

static struct json_build limits(const struct config *config)
{
    struct json_build limits = json_begin_object();
    json_put_count(&limits, "max_body_bytes", config->max_body_bytes);
    json_put_count(&limits, "max_buffered_bytes", config->max_buffered_bytes);
    json_put_count(&limits, "max_clips", config->max_clips);
    json_put_number(&limits, "compare_max_duration_s", config->compare_max_duration_s);
    json_put_number(&limits, "min_duration_s", config->min_duration_s);
    json_put_number(&limits, "warn_duration_s", config->warn_duration_s);
    json_put_number(&limits, "max_duration_s", config->max_duration_s);
    json_put_text(&limits, "long_audio", config->truncate ? "truncate" : "reject");
    json_put_flag(&limits, "speech_only", config->speech_only);
    json_put_number(&limits, "silence_dbfs", config->silence_dbfs);
    json_put_count(&limits, "workers", config->workers);
    json_put_count(&limits, "threads_per_request", config->threads_per_request);
    json_put_count(&limits, "queue_size", config->queue_size);
    json_put_number(&limits, "queue_timeout_ms", config->queue_timeout_ms);
    json_put_number(&limits, "request_timeout_s", config->request_timeout_s);
    json_put_count(&limits, "diarize_max_body_bytes", config->diarize_max_body_bytes);
    json_put_number(&limits, "diarize_max_duration_s", config->diarize_max_duration_s);
    json_put_number(&limits, "diarize_timeout_s", config->diarize_timeout_s);
    return limits;
}

static struct json_build self_test(const struct vp_self_test *test)
{
    struct json_build object = json_begin_object();
    json_put_flag(&object, "passed", true); /* else the engine would not be here */
    json_put_flag(&object, "has_reference", test->has_reference);
    if (test->has_reference)
        json_put_number(&object, "cosine", test->cosine);
    else
        json_put_null(&object, "cosine");
    json_put_number(&object, "norm", test->norm);
    return object;
}

static void put_decision(struct json_build *root, const struct engine *engine)
{
    if (engine->has_threshold)
        json_put_number(root, "threshold", engine->threshold);
    else
        json_put_null(root, "threshold");
    if (!engine->has_calibration) {
        json_put_null(root, "calibration");
        return;
    }
    struct json_build calibration = json_begin_object();
    json_put_number(&calibration, "slope", engine->slope);
    json_put_number(&calibration, "offset", engine->offset);
    json_put_build(root, "calibration", calibration);
}

void route_info_answer(struct request *request)
{
    ON_LOOP();
    const struct engine *engine = request->service->engine;
    const struct vp_model_info *info = engine->info;
    struct json_build root = json_begin_object();
    json_put_text(&root, "version", version_text);
    json_put_text(&root, "model", info->name);
    json_put_text(&root, "model_digest", info->digest);
    json_put_flag(&root, "untrained", info->untrained);
    json_put_count(&root, "dim", info->dim);
    json_put_count(&root, "sample_rate", info->sample_rate_hz);
    json_put_text(&root, "kernel", vp_kernel_name(info->kernel));
    json_put_text(&root, "blas", info->blas);
    json_put_text(&root, "blas_core", info->blas_core);
    json_put_text(&root, "decoder", request->service->sandbox != NULL ? "sandbox" : "inline");
    put_decision(&root, engine);
    json_put_build(&root, "model_details", model_details(info));
    json_put_segmentation(&root, "segmentation", engine->segmentation);
    json_put_build(&root, "limits", limits(request->service->config));
    json_put_build(&root, "self_test", self_test(&engine->self_test));
    json_put_text(&root, "request_id", request->id);
    (void)answer_json(request, MHD_HTTP_OK, root);
}
