/*
 * Under which names this service answers. A page of anybody's in a browser may give its own name
 * our loopback address (DNS rebinding), or simply post to it: the service then sees that page's
 * name in Host or Origin. On a loopback address only loopback names are good unless more are
 * configured, elsewhere any name is, unless some are configured.
 */
#ifndef VP_HOSTS_H
#define VP_HOSTS_H

#include <stdbool.h>

struct hosts {
    const char *allowed; /* borrowed: names, comma separated; "*": any */
    const char *origins; /* borrowed: cors_origins, which may call in any case */
    bool on_loopback;    /* what is listened on */
};

/* Is address, "host:port", a loopback one? [any] */
bool hosts_is_loopback(const char *address);
/* The value of a Host header, port or not. NULL is good: browsers always send one. [any] */
bool hosts_allow(const struct hosts *hosts, const char *host);
/* The value of an Origin header; NULL is good. [any] */
bool hosts_allow_origin(const struct hosts *hosts, const char *origin);

#endif
