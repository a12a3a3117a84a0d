/* GET /metrics: Prometheus text. */
#include "http/reply.h"
#include "server.h"
#include "util/thread.h"
#include "version.h"

void route_metrics_answer(struct request *request)
{
    ON_LOOP();
    const struct server *server = request->server;
    const struct engine *engine = server->engine;
    size_t n_bytes = 0;
    struct gauges gauges = {
        .queue_depth = server->queue.n,
        .queue_capacity = server->config->queue_size,
        .workers = workers_count(server->workers),
        .workers_busy = workers_busy(server->workers),
        .connections = server->connections.n,
        .diarizations = server->slices.n + server->n_slicing,
        .upload_bytes = server->uploads.used_bytes + server->conversations.used_bytes,
        .state = server_state(server),
        .version = version_text,
        .model_digest = engine != NULL ? engine->info->digest : "",
        .blas = engine != NULL ? engine->info->blas : "",
        .kernel = engine != NULL ? vp_kernel_name(engine->info->kernel) : "",
    };
    char *text = metrics_text(&server->metrics, &gauges, &n_bytes);
    (void)reply_text(request, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", text,
                     n_bytes);
}
