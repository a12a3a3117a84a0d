/* The table of endpoints. */
#include "request/routes.h"

#include "config/keys.h"
#include "http/assets.h"
#include "http/query.h"

#include <string.h>

static const struct route routes[] = {
    {.path = "/embed",
     .label = ROUTE_EMBED,
     .method = "POST",
     .takes_body = true,
     .needs_key = true,
     .scope = SCOPE_EMBED,
     .needs_engine = true,
     .options = QUERY_NORMALIZE | QUERY_ENCODING | QUERY_CLIP | QUERY_SPEECH_ONLY,
     .on_head = route_embed_head,
     .on_body = route_embed_body,
     .on_done = route_embed_done},
    {.path = "/compare",
     .label = ROUTE_COMPARE,
     .method = "POST",
     .takes_body = true,
     .needs_key = true,
     .scope = SCOPE_EMBED,
     .needs_engine = true,
     .options = QUERY_THRESHOLD | QUERY_CLIP | QUERY_SPEECH_ONLY,
     .on_head = route_compare_head,
     .on_body = route_compare_body,
     .on_done = route_compare_done},
    {.path = "/diarize",
     .label = ROUTE_DIARIZE,
     .method = "POST",
     .takes_body = true,
     .needs_key = true,
     .scope = SCOPE_EMBED,
     .needs_engine = true,
     .is_diarization = true,
     .options = QUERY_DIARIZE,
     .on_head = route_diarize_head,
     .on_body = route_diarize_body,
     .on_done = route_diarize_done},
    {.path = "/identify",
     .method = "POST",
     .label = ROUTE_IDENTIFY,
     .takes_body = true,
     .needs_key = true,
     .scope = SCOPE_IDENTIFY,
     .needs_voices = true,
     .needs_engine = true,
     .options = QUERY_COLLECTION | QUERY_TOP | QUERY_THRESHOLD | QUERY_CLIP | QUERY_SPEECH_ONLY,
     .on_head = route_identify_head,
     .on_body = route_identify_body,
     .on_done = route_identify_done},
    {.path = "/voices",
     .label = ROUTE_VOICES,
     .needs_key = true,
     .scope = SCOPE_ADMIN,
     .needs_voices = true,
     .needs_engine = true,
     .options = QUERY_COLLECTION | QUERY_LIMIT | QUERY_AFTER,
     .on_body = route_voices_answer},
    {.path = "/voices",
     .method = "DELETE",
     .label = ROUTE_VOICES_DELETE,
     .needs_key = true,
     .scope = SCOPE_ADMIN,
     .needs_voices = true,
     .needs_engine = true,
     .options = QUERY_COLLECTION | QUERY_CONFIRM,
     .on_body = route_voices_delete,
     .on_done = route_voices_deleted},
    {.path = "/voices/{id}",
     .label = ROUTE_VOICE,
     .needs_key = true,
     .scope = SCOPE_ENROL,
     .needs_voices = true,
     .needs_engine = true,
     .options = QUERY_COLLECTION,
     .on_body = route_voice_answer},
    {.path = "/voices/{id}",
     .method = "PUT",
     .label = ROUTE_VOICE_ENROL,
     .takes_body = true,
     .needs_key = true,
     .scope = SCOPE_ENROL,
     .needs_voices = true,
     .needs_engine = true,
     .options = QUERY_COLLECTION | QUERY_CLIP | QUERY_SPEECH_ONLY,
     .on_head = route_enrol_head,
     .on_body = route_enrol_body,
     .on_done = route_enrol_done},
    {.path = "/voices/{id}",
     .method = "DELETE",
     .label = ROUTE_VOICE_DELETE,
     .needs_key = true,
     .scope = SCOPE_ENROL,
     .needs_voices = true,
     .needs_engine = true,
     .options = QUERY_COLLECTION,
     .on_body = route_voice_delete,
     .on_done = route_voice_deleted},
    {.path = "/voices/{id}/clips",
     .method = "POST",
     .label = ROUTE_VOICE_ADD,
     .takes_body = true,
     .needs_key = true,
     .scope = SCOPE_ENROL,
     .needs_voices = true,
     .needs_engine = true,
     .options = QUERY_COLLECTION | QUERY_CLIP | QUERY_SPEECH_ONLY,
     .on_head = route_enrol_head,
     .on_body = route_add_body,
     .on_done = route_enrol_done},
    {.path = "/voices/{id}/clips/{clip}",
     .method = "DELETE",
     .label = ROUTE_CLIP_DELETE,
     .needs_key = true,
     .scope = SCOPE_ENROL,
     .needs_voices = true,
     .needs_engine = true,
     .options = QUERY_COLLECTION,
     .on_body = route_clip_delete,
     .on_done = route_enrol_done},
    {.path = "/voices/{id}/verify",
     .method = "POST",
     .label = ROUTE_VOICE_VERIFY,
     .takes_body = true,
     .needs_key = true,
     .scope = SCOPE_IDENTIFY,
     .needs_voices = true,
     .needs_engine = true,
     .options = QUERY_COLLECTION | QUERY_THRESHOLD | QUERY_CLIP | QUERY_SPEECH_ONLY,
     .on_head = route_verify_head,
     .on_body = route_verify_body,
     .on_done = route_verify_done},
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

/* Both without the segments that {} stands for, which are not empty. */
static bool is_path(const char *pattern, const char *path)
{
    while (*pattern != 0 && *path != 0) {
        if (*pattern == '{') {
            const size_t n = strcspn(path, "/");
            if (n == 0)
                return false;
            path += n;
            pattern = strchr(pattern, '}') + 1;
        } else if (*pattern++ != *path++) {
            return false;
        }
    }
    return *pattern == *path;
}

enum { N_ROUTES = sizeof routes / sizeof routes[0] };

const struct route *routes_find(const char *path)
{
    for (size_t i = 0; i < N_ROUTES; i++)
        if (is_path(routes[i].path, path))
            return &routes[i];
    bool is_page_file = strncmp(path, page_file.path, strlen(page_file.path)) == 0;
    return is_page_file && assets_find(path) != NULL ? &page_file : &other;
}

bool routes_take(const struct route *route, const char *method)
{
    return route->method != NULL ? strcmp(route->method, method) == 0
                                 : strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

/* The next route of the same path, NULL after the last. */
static const struct route *next_of(const struct route *route)
{
    const bool is_listed = route >= routes && route + 1 < routes + N_ROUTES;
    return is_listed && strcmp(route[1].path, route->path) == 0 ? route + 1 : NULL;
}

const struct route *routes_choose(const struct route *route, const char *method)
{
    for (const struct route *at = route; at != NULL; at = next_of(at))
        if (routes_take(at, method))
            return at;
    return route;
}

const char *routes_methods(const struct route *route)
{
    const struct route *first = route->path != NULL ? routes_find(route->path) : route;
    if (next_of(first) == NULL)
        return first->method != NULL ? first->method : "GET, HEAD";
    return next_of(next_of(first)) == NULL ? "GET, HEAD, DELETE" : "GET, HEAD, PUT, DELETE";
}
