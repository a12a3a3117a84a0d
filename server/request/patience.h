/*
 * Uploads that take too long. One that is slower than min_body_rate_bytes_per_s for ten seconds
 * ends with 408; one that at its pace would still need longer than request_timeout_s ends with 503
 * as soon as somebody else is refused for want of the memory that it holds. The client is told,
 * though libmicrohttpd cannot answer in mid-upload: we write to its socket by ourselves.
 */
#ifndef VP_PATIENCE_H
#define VP_PATIENCE_H

#include "request/service.h"

/* A budget's make_room; its owner is the struct service. Of the uploads that give way to `other`
 * the latest end first, with 429, until n_bytes are free; none does if that cannot be reached.
 * [loop] */
void patience_make_room(struct budget *budget, const struct holder *other, size_t n_bytes);
/* To be called each tick: it also measures. [loop] */
void patience_tick(struct service *service, uint64_t now_ns);

#endif
