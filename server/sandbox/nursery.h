/* What the zygote does: makes decoders, hears of their ends, ends those that nobody wants. */
#ifndef VP_NURSERY_H
#define VP_NURSERY_H

#include "sandbox/message.h"
#include "sandbox/shared.h"

enum { NURSERY_FDS = 2 }; /* that come with an order: a decoder's end of its channel, its memory */

/* What a decoder does, once it is sealed. */
typedef void nursery_serve(int channel, const struct shared *shared);

/* The life of the zygote, which is a child of service: takes orders (struct shared_size) from
 * control until its other end is closed. */
_Noreturn void nursery_run(int control, pid_t service, nursery_serve *serve);

/* Of a decoder that ended before it was sealed: errno of that; 0: it was. */
int nursery_seal_error(int wait_status);

#endif
