/* The decoder's side: answers one request after the other until nobody asks any more. */
#ifndef VP_SERVE_H
#define VP_SERVE_H

#include "sandbox/shared.h"

/* channel: where requests come from. Returns when its other end is closed. [a decoder] */
void serve_recordings(int channel, const struct shared *shared);

#endif
