/* GET /info: what is loaded, what is allowed, what it runs on. */
#include "request/answer.h"
#include "util/thread.h"
#include "util/version.h"

static json_t *model_info(const struct engine *engine)
{
    const struct vp_model_info *info = engine->info;
    json_t *blocks = json_array(), *channels = json_array();
    for (size_t i = 0; i < info->n_stages; i++) {
        blocks = json_append(blocks, json_integer((json_int_t)info->blocks[i]));
        channels = json_append(channels, json_integer((json_int_t)info->channels[i]));
    }
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:o, s:o, s:b, s:I}", "name", info->name,
                     "format", info->format, "digest", info->digest, "dim", (json_int_t)info->dim,
                     "sample_rate", (json_int_t)info->sample_rate_hz, "n_mels",
                     (json_int_t)info->n_mels, "parameters", (json_int_t)info->n_parameters,
                     "blocks", blocks, "channels", channels, "untrained", info->untrained,
                     "weights_bytes", (json_int_t)info->weights_bytes);
}

static json_t *limits(const struct config *config)
{
    return json_pack(
        "{s:I, s:I, s:I, s:f, s:f, s:f, s:s, s:f, s:I, s:I, s:I, s:f, s:f, s:I, s:f, s:f}",
        "max_body_bytes", (json_int_t)config->max_body_bytes, "max_buffered_bytes",
        (json_int_t)config->max_buffered_bytes, "max_clips", (json_int_t)config->max_clips,
        "min_duration_s", config->min_duration_s, "warn_duration_s", config->warn_duration_s,
        "max_duration_s", config->max_duration_s, "long_audio",
        config->truncate ? "truncate" : "reject", "silence_dbfs", config->silence_dbfs, "workers",
        (json_int_t)config->workers, "threads_per_request", (json_int_t)config->threads_per_request,
        "queue_size", (json_int_t)config->queue_size, "queue_timeout_ms", config->queue_timeout_ms,
        "request_timeout_s", config->request_timeout_s, "diarize_max_body_bytes",
        (json_int_t)config->diarize_max_body_bytes, "diarize_max_duration_s",
        config->diarize_max_duration_s, "diarize_timeout_s", config->diarize_timeout_s);
}

static json_t *self_test(const struct engine *engine)
{
    const struct vp_self_test *test = &engine->self_test;
    return json_pack("{s:b, s:b, s:o, s:f}", "passed", 1, "has_reference", test->has_reference,
                     "cosine", test->has_reference ? json_real(test->cosine) : json_null(), "norm",
                     test->norm);
}

void route_info_answer(struct request *request)
{
    ON_LOOP();
    const struct engine *engine = request->service->engine;
    const struct vp_model_info *info = engine->info;
    json_t *root = json_pack(
        "{s:s, s:s, s:s, s:b, s:I, s:I, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:s}",
        "version", version_text, "model", info->name, "model_digest", info->digest, "untrained",
        info->untrained, "dim", (json_int_t)info->dim, "sample_rate",
        (json_int_t)info->sample_rate_hz, "kernel", vp_kernel_name(info->kernel), "blas",
        info->blas, "blas_core", info->blas_core, "threshold",
        engine->has_threshold ? json_real(engine->threshold) : json_null(), "calibration",
        engine->has_calibration
            ? json_pack("{s:f, s:f}", "slope", engine->slope, "offset", engine->offset)
            : json_null(),
        "model_details", model_info(engine), "segmentation",
        json_segmentation(engine->segmentation), "limits", limits(request->service->config),
        "self_test", self_test(engine), "request_id", request->id);
    (void)answer_json(request, MHD_HTTP_OK, root);
}
