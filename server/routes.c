/* The table of endpoints. */
#include "routes.h"

#include "assets.h"
#include "query.h"

#include <string.h>

static const struct route routes[] = {
    {"/embed", ROUTE_EMBED, true, true, true, false, QUERY_NORMALIZE | QUERY_ENCODING,
     route_embed_head, route_embed_body, route_embed_done},
    {"/compare", ROUTE_COMPARE, true, true, true, false, QUERY_THRESHOLD, route_compare_head,
     route_compare_body, route_compare_done},
    {"/info", ROUTE_INFO, false, true, true, false, 0, NULL, route_info_answer, NULL},
    {"/livez", ROUTE_LIVEZ, false, false, false, true, 0, NULL, route_livez_answer, NULL},
    {"/readyz", ROUTE_READYZ, false, false, false, true, 0, NULL, route_readyz_answer, NULL},
    {"/healthz", ROUTE_HEALTHZ, false, false, false, true, 0, NULL, route_readyz_answer, NULL},
    {"/metrics", ROUTE_METRICS, false, false, false, true, 0, NULL, route_metrics_answer, NULL},
    {"/", ROUTE_INDEX, false, false, false, false, 0, NULL, route_asset_answer, NULL},
    {"/docs", ROUTE_DOCS, false, false, false, false, 0, NULL, route_asset_answer, NULL},
    {"/openapi.yaml", ROUTE_OPENAPI, false, false, false, false, 0, NULL, route_asset_answer, NULL},
};
/* What the pages load: scripts, style, sample clips. */
static const struct route page_file = {"/pages/", ROUTE_INDEX,        false, false, false, false, 0,
                                       NULL,      route_asset_answer, NULL};
static const struct route other = {.path = NULL, .label = ROUTE_OTHER};

const struct route *routes_find(const char *path)
{
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++)
        if (strcmp(routes[i].path, path) == 0)
            return &routes[i];
    bool is_page_file = strncmp(path, page_file.path, strlen(page_file.path)) == 0;
    return is_page_file && assets_find(path) != NULL ? &page_file : &other;
}
