/*
 * Is the client of a request that waits still there? That its stream has ended does not tell: so
 * it is with a client that is gone, and with one that has said all it has to say and waits for the
 * answer (`nc -N`, shutdown(SHUT_WR)). The kernel tells the two apart by what comes back when it
 * sends them something: whoever is gone answers with a reset.
 *
 * So something is sent: a byte of what every answer begins with, whatever will be in it (tap.h), or
 * the line of progress once more, where lines have begun. No client can tell that from a slow
 * network, of whatever version of HTTP it is; an interim response (100, 102) would be new to many,
 * and is forbidden towards HTTP/1.0. It is sent again 1, 3, 7, ... 63 s after the first time, for
 * of a client that goes when its stream has ended nothing else tells.
 */
#ifndef VP_PRESENCE_H
#define VP_PRESENCE_H

#include "http/ndjson.h"

#include <stdbool.h>
#include <stdint.h>

struct presence {
    uint64_t due_ns;   /* then something is sent; 0: at once */
    uint64_t pause_ns; /* before the last time */
};

/* Is nobody left at fd to read an answer? Asked while a request waits for it: at each tick, and
 * before each turn of its work. stream is the answer in lines, begun or not. After a call a run of
 * the listener must follow. [loop] */
bool presence_is_lost(struct presence *presence, int fd, struct ndjson *stream);

#endif
