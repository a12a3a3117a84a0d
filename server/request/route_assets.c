/*
 * GET /, /docs, /openapi.yaml and /pages/...: files of this repository, built into the program.
 *
 * A page may load scripts, styles and pictures from here, talk to this service, play what is in
 * memory, and use the microphone: nothing else, and nothing inline. What it shows is text, never
 * markup (trusted types), and nobody frames it.
 */
#include "http/assets.h"
#include "request/answer.h"
#include "util/thread.h"

#include <string.h>

static const struct reply_header page_headers[] = {
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
     "media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
     "require-trusted-types-for 'script'; trusted-types 'none'"},
    {"Permissions-Policy", "microphone=(self), camera=(), geolocation=()"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {NULL, NULL},
};

/* Does the client hold this very content? If-None-Match is a list of tags, weak ones too. */
static bool is_known(struct request *request, const struct asset_form *form)
{
    const char *tags = MHD_lookup_connection_value(request->handle, MHD_HEADER_KIND,
                                                   MHD_HTTP_HEADER_IF_NONE_MATCH);
    return tags != NULL && (strcmp(tags, "*") == 0 || strstr(tags, form->etag) != NULL);
}

void route_asset_answer(struct request *request)
{
    ON_LOOP();
    const struct asset *asset = assets_find(request->path);
    VP_BUG_IF(asset == NULL); /* routes_find looked */
    const struct asset_form *form =
        assets_choose(asset, MHD_lookup_connection_value(request->handle, MHD_HEADER_KIND,
                                                         MHD_HTTP_HEADER_ACCEPT_ENCODING));
    bool is_page = strncmp(asset->type, "text/html", 9) == 0;
    (void)answer_asset(request, asset, form, is_known(request, form),
                       is_page ? page_headers : NULL);
}
