#include "http/assets.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const struct asset *assets_find(const char *path)
{
    for (size_t i = 0; i < n_assets; i++)
        if (strcmp(assets[i].path, path) == 0)
            return &assets[i];
    return NULL;
}

/* RFC 9110 12.5.3: codings with weights, comma separated. A weight of 0 refuses. */
static bool accepts_gzip(const char *codings)
{
    bool any = false;
    for (const char *at = codings; *at != 0; at += strcspn(at, ",")) {
        at += strspn(at, ", \t");
        size_t n = strcspn(at, ";, \t");
        const char *weight = at + n + strspn(at + n, "; \t");
        bool wanted = strncasecmp(weight, "q=", 2) != 0 || strtod(weight + 2, NULL) > 0;
        if (n == 4 && strncasecmp(at, "gzip", 4) == 0)
            return wanted;
        if (n == 1 && *at == '*')
            any = wanted;
    }
    return any;
}

const struct asset_form *assets_choose(const struct asset *asset, const char *accept_encoding)
{
    bool packed =
        asset->gzip.n_bytes > 0 && accept_encoding != NULL && accepts_gzip(accept_encoding);
    return packed ? &asset->gzip : &asset->plain;
}
