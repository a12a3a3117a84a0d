/* Cross-origin access for browsers: off unless cors_origins names the origin. */
#ifndef VP_CORS_H
#define VP_CORS_H

#include <microhttpd.h>
#include <stdbool.h>

struct request;

/* Is origin (a header value or NULL) on the comma separated list, or the list "*"? [any] */
bool cors_allows(const char *origins, const char *origin);
/* An OPTIONS request of a browser that asks beforehand, from an allowed origin? [loop] */
bool cors_is_preflight(const char *origins, const struct request *request);
/* Adds what an allowed origin needs to read the answer. [loop] */
void cors_put_headers(const char *origins, const struct request *request,
                      struct MHD_Response **response);

#endif
