/* Cross-origin access. */
#include "http/cors.h"

#include "http/response.h"

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

bool cors_is_preflight(const char *origins, const char *origin, const char *method,
                       struct MHD_Connection *handle)
{
    return strcmp(method, "OPTIONS") == 0 && cors_allows(origins, origin) &&
           MHD_lookup_connection_value(handle, MHD_HEADER_KIND, "Access-Control-Request-Method") !=
               NULL;
}

void cors_put_headers(const struct cors *cors, struct MHD_Response **response)
{
    if (*cors->origins == 0)
        return;
    response_add(response, "Vary", "Origin");
    if (!cors_allows(cors->origins, cors->origin))
        return;
    response_add(response, "Access-Control-Allow-Origin", cors->origin);
    if (cors->is_preflight) {
        response_add(response, "Access-Control-Allow-Methods", cors->methods);
        response_add(response, "Access-Control-Allow-Headers",
                     "Authorization, Content-Type, If-Match, If-None-Match, X-Request-Id, "
                     "traceparent");
        response_add(response, "Access-Control-Max-Age", "600");
    } else {
        response_add(response, "Access-Control-Expose-Headers",
                     "ETag, X-Request-Id, Retry-After, Server-Timing");
    }
}
