/* Who is made to leave when there are more connections than there should be. */
#ifndef VP_EVICTION_H
#define VP_EVICTION_H

#include "http/connection.h"

/* Above connections->max: cuts as many as are too many, as far as somebody may be cut, and not all
 * in one tick. To be called each tick, for it also watches how answers move. [loop] */
void connections_evict(struct connections *connections, uint64_t now_ns);

#endif
