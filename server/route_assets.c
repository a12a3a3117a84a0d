/* GET /openapi.yaml and pages: files of this repository, built into the program. */
#include "assets.h"
#include "reply.h"
#include "thread.h"

#include <string.h>

void route_asset_answer(struct request *request)
{
    ON_LOOP();
    const struct asset *asset = assets_find(request->route->path);
    VP_BUG_IF(asset == NULL);
    (void)reply_static(request, MHD_HTTP_OK, asset->type, asset->bytes, assets_size(asset));
}
