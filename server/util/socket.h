/* A TCP socket from an address as the configuration writes it. */
#ifndef VP_SOCKET_H
#define VP_SOCKET_H

#include "voiceprint.h"

/* "host:port", "[v6]:port", ":port" (all addresses). Returns a socket, bound and listening, or
 * connected when `connecting`; the caller closes it. -1 and a sentence on error. [start] */
int socket_open(const char *address, bool connecting, struct vp_err *err) VP_MUST_CHECK;

#endif
