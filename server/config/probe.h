/* `voiceprintd --probe`: asks the running server, for a container's health check. */
#ifndef VP_PROBE_H
#define VP_PROBE_H

#include "config/config.h"

/* GET /readyz on admin_listen, or listen; false, with a line on stderr, unless it says 200. [start]
 */
bool probe_readyz(const struct config *config);

#endif
