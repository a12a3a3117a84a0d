/* The table of endpoints. */
#include "request/routes.h"

#include "http/assets.h"
#include "http/query.h"

#include <string.h>

static const struct route routes[] = {
    {.path = "/embed",
     .label = ROUTE_EMBED,
     .is_post = true,
     .needs_key = true,
     .needs_engine = true,
     .options = QUERY_NORMALIZE | QUERY_ENCODING | QUERY_CLIP | QUERY_SPEECH_ONLY,
     .on_head = route_embed_head,
     .on_body = route_embed_body,
     .on_done = route_embed_done},
    {.path = "/compare",
     .label = ROUTE_COMPARE,
     .is_post = true,
     .needs_key = true,
     .needs_engine = true,
     .options = QUERY_THRESHOLD | QUERY_CLIP | QUERY_SPEECH_ONLY,
     .on_head = route_compare_head,
     .on_body = route_compare_body,
     .on_done = route_compare_done},
    {.path = "/diarize",
     .label = ROUTE_DIARIZE,
     .is_post = true,
     .needs_key = true,
     .needs_engine = true,
     .is_diarization = true,
     .options = QUERY_DIARIZE,
     .on_head = route_diarize_head,
     .on_body = route_diarize_body,
     .on_done = route_diarize_done},
    {.path = "/info",
     .label = ROUTE_INFO,
     .needs_key = true,
     .needs_engine = true,
     .on_body = route_info_answer},
    {.path = "/livez", .label = ROUTE_LIVEZ, .is_admin = true, .on_body = route_livez_answer},
    {.path = "/readyz", .label = ROUTE_READYZ, .is_admin = true, .on_body = route_readyz_answer},
    {.path = "/healthz", .label = ROUTE_HEALTHZ, .is_admin = true, .on_body = route_readyz_answer},
    {.path = "/metrics", .label = ROUTE_METRICS, .is_admin = true, .on_body = route_metrics_answer},
    {.path = "/", .label = ROUTE_INDEX, .on_body = route_asset_answer},
    {.path = "/docs", .label = ROUTE_DOCS, .on_body = route_asset_answer},
    {.path = "/openapi.yaml", .label = ROUTE_OPENAPI, .on_body = route_asset_answer},
};
/* What the pages load: scripts, style, sample clips. */
static const struct route page_file = {
    .path = "/pages/", .label = ROUTE_INDEX, .on_body = route_asset_answer};
static const struct route other = {.path = NULL, .label = ROUTE_OTHER};

const struct route *routes_find(const char *path)
{
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++)
        if (strcmp(routes[i].path, path) == 0)
            return &routes[i];
    bool is_page_file = strncmp(path, page_file.path, strlen(page_file.path)) == 0;
    return is_page_file && assets_find(path) != NULL ? &page_file : &other;
}
