/*
 * The process that makes decoders: forked from the service before that has threads, listening
 * sockets or keys, so that no decoder ever had them. It holds an end of each decoder's channel:
 * when the service closes the other end, or no longer writes to it, the decoder is killed; when a
 * decoder ends, the zygote says so there (REPLY_ENDED). So whoever holds a channel holds a process,
 * and when the service is gone, so are they all.
 */
#ifndef VP_ZYGOTE_H
#define VP_ZYGOTE_H

#include "sandbox/nursery.h"
#include "voiceprint.h"

struct zygote {
    pid_t pid;
    int control; /* the service's end */
};

/* Forks it. False, with a sentence: there is none, or this machine cannot seal processes. [start]
 */
bool zygote_start(struct zygote *zygote, nursery_serve *serve, struct vp_err *err);
/* A decoder that sees memory of that size, asked for without waiting for it: the service's end of
 * its channel, -1 and errno: the zygote is gone or descriptors are short. [any] */
int zygote_spawn(const struct zygote *zygote, int memory, struct shared_size size);
/* Has it ended by itself? Then there are no decoders any more. [loop] */
bool zygote_is_gone(const struct zygote *zygote);
void zygote_end(struct zygote *zygote); /* with all decoders. [loop] */

#endif
