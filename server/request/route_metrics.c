/* GET /metrics: Prometheus text. */
#include "request/answer.h"
#include "util/thread.h"
#include "util/version.h"

void route_metrics_answer(struct request *request)
{
    ON_LOOP();
    const struct service *service = request->service;
    const struct engine *engine = service->engine;
    struct voice_set *set = service->store != NULL ? store_hold_set(service->store) : NULL;
    size_t n_bytes = 0;
    struct gauges gauges = {
        .queue_depth = queue_depth(&service->queue),
        .queue_capacity = service->config->queue_size,
        .workers = workers_count(service->workers),
        .workers_busy = workers_busy(service->workers),
        .connections = service->connections.n,
        .clients = service->clients.n,
        .diarizations = queue_diarizations(&service->queue),
        .has_voices = set != NULL,
        .voices = set != NULL ? set->n_voices : 0,
        .upload_bytes = service->uploads.used_bytes + service->conversations.used_bytes,
        .sandbox = service->sandbox,
        .state = service_state(service),
        .version = version_text,
        .model_digest = engine != NULL ? engine->info->digest : "",
        .blas = engine != NULL ? engine->info->blas : "",
        .kernel = engine != NULL ? vp_kernel_name(engine->info->kernel) : "",
    };
    voice_set_release(set);
    char *text = metrics_text(&service->metrics, &gauges, &n_bytes);
    (void)answer_text(request, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", text,
                      n_bytes);
}
