/*
 * Shows a strict reader (wire.h) what libmicrohttpd reads, before it does. The library calls recv()
 * and has no other place to look over its shoulder; so this program defines recv() itself, which
 * comes before the C library's wherever it is called. Loop only.
 */
#ifndef VP_TAP_H
#define VP_TAP_H

#include "http/wire.h"

/* From now on wire reads along on fd; borrowed until tap_remove. False: memory is short. [loop] */
bool tap_add(int fd, struct wire *wire);
void tap_remove(int fd); /* [loop] also of one that was never added */
void tap_close(void);    /* [loop] none is left */

#endif
