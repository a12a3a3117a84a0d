/* Cross-origin access. */
#include "http/cors.h"

#include "http/reply.h"

#include <string.h>

bool cors_allows(const char *origins, const char *origin)
{
    if (origin == NULL || *origin == 0)
        return false;
    if (strcmp(origins, "*") == 0)
        return strpbrk(origin, "\t\r\n") == NULL; /* what no header of ours may carry back */
    size_t n = strlen(origin);
    for (const char *at = origins; *at != 0;) {
        at += strspn(at, ", ");
        size_t length = strcspn(at, ", ");
        if (length == n && strncmp(at, origin, n) == 0)
            return true;
        at += length;
    }
    return false;
}

bool cors_is_preflight(const char *origins, const struct request *request)
{
    return request->route->path != NULL && strcmp(request->method, "OPTIONS") == 0 &&
           cors_allows(origins, request->head.origin) &&
           MHD_lookup_connection_value(request->handle, MHD_HEADER_KIND,
                                       "Access-Control-Request-Method") != NULL;
}

void cors_put_headers(const char *origins, const struct request *request,
                      struct MHD_Response **response)
{
    if (*origins == 0)
        return;
    reply_add_header(response, "Vary", "Origin");
    if (!cors_allows(origins, request->head.origin))
        return;
    reply_add_header(response, "Access-Control-Allow-Origin", request->head.origin);
    if (request->is_preflight) {
        reply_add_header(response, "Access-Control-Allow-Methods",
                         request->route->is_post ? "POST" : "GET, HEAD");
        reply_add_header(response, "Access-Control-Allow-Headers",
                         "Authorization, Content-Type, X-Request-Id, traceparent");
        reply_add_header(response, "Access-Control-Max-Age", "600");
    } else {
        reply_add_header(response, "Access-Control-Expose-Headers",
                         "X-Request-Id, Retry-After, Server-Timing");
    }
}
