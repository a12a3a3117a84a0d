/* Cross-origin access for browsers: off unless cors_origins names the origin. */
#ifndef VP_CORS_H
#define VP_CORS_H

#include <microhttpd.h>
#include <stdbool.h>

/* Is origin (a header value or NULL) on the comma separated list, or the list "*"? [any] */
bool cors_allows(const char *origins, const char *origin);
/* Does a browser ask beforehand, by OPTIONS from an allowed origin? [loop] */
bool cors_is_preflight(const char *origins, const char *origin, const char *method,
                       struct MHD_Connection *handle);

/* What an answer must say for a browser to let its page read it. */
struct cors {
    const char *origins; /* the configuration's */
    const char *origin;  /* the request's, NULL for none */
    const char *methods; /* what the path takes, as in the header Allow */
    bool is_preflight;
};
/* Adds the headers, none where the origin is not allowed. [loop] */
void cors_put_headers(const struct cors *cors, struct MHD_Response **response);

#endif
