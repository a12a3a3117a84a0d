/*
 * The orderly end:
 *   1 announced: /readyz says draining, every answer closes its connection, all is still served
 *   2 after drain_delay_s (SIGINT: at once) the listen socket drops who begins to connect, and
 *     0.1 s later it is closed; new requests get 503
 *   3 with no open request left, or after drain_timeout_s, the loop stops
 * A second signal ends the process at once.
 */
#ifndef VP_DRAIN_H
#define VP_DRAIN_H

#include <stdbool.h>
#include <stdint.h>

struct server;

void drain_begin(struct server *server, bool at_once);   /* [loop] on SIGTERM, SIGINT */
void drain_tick(struct server *server, uint64_t now_ns); /* [loop] */

#endif
