/*
 * Shuts a process off from everything but its channel: what runs in it from then on may compute,
 * ask for memory within a ration, and talk there.
 */
#ifndef VP_SEAL_H
#define VP_SEAL_H

#include <stdbool.h>
#include <stddef.h>

/* Of memory that is its own: the largest demands of the decoders that core/audio lets through, and
 * as much again. */
#define SEAL_RATION_BYTES ((size_t)256 << 20)

/* Makes, once, what all seals of this process and its children need: so sealing allocates nothing,
 * and takes no time. False, and errno: nothing can be sealed here. */
bool seal_prepare(void);
/* Moves channel to descriptor 0 and closes all others, sets the limits, leaves nothing to gain by
 * exec, and then ends the process at each system call that is not on the list. False, and errno: it
 * is not sealed, and must end. The process has one thread. Needs seal_prepare. */
bool seal(int channel);

#endif
