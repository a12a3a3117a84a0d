/*
 * The orderly end:
 *   1 announced: /readyz says draining, every answer closes its connection, all is still served
 *   2 after drain_delay_s (SIGINT: at once) the listen socket drops who begins to connect, and
 *     0.1 s later it is closed; new requests get 503
 *   3 with no open request left, or after drain_timeout_s, the loop stops
 * A second signal ends the process at once. The step stands in service->drain.
 */
#ifndef VP_DRAIN_H
#define VP_DRAIN_H

#include "http/listener.h"
#include "request/service.h"

#include <uv.h>

struct drain {
    struct service *service; /* borrowed, as all below */
    uv_loop_t *loop;
    struct listener *listener, *admin; /* admin may be closed */
    uint64_t step_ns;                  /* when the step began */
    bool requests_were_cut;
};

void drain_begin(struct drain *drain, bool at_once);   /* [loop] on SIGTERM, SIGINT */
void drain_tick(struct drain *drain, uint64_t now_ns); /* [loop] */

#endif
