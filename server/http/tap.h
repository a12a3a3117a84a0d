/*
 * Stands between libmicrohttpd and its sockets. What it reads is shown to a strict reader (wire.h)
 * before it sees it; and of an answer the first bytes may be sent ahead of it. The library calls
 * recv(), send() and sendmsg() and has no other place to look over its shoulder; so this program
 * defines these itself, which come before the C library's wherever they are called: by the workers
 * too, whose sockets (to decoders, to a log) are passed through unlooked at.
 */
#ifndef VP_TAP_H
#define VP_TAP_H

#include "http/wire.h"

/* From now on wire reads along on fd; borrowed until tap_remove. False: memory is short. [loop] */
bool tap_add(int fd, struct wire *wire);
void tap_remove(int fd); /* [loop] also of one that was never added */
void tap_close(void);    /* [loop] none is left */

/* Whether the end of the client's stream is kept from libmicrohttpd: it would close the connection
 * over a request that waits for its answer. No event tells it of that end later on:
 * connections_tick does. [loop] */
void tap_hold_end(int fd, bool hold);

/* Sends one more byte of what every answer begins with, "HTTP/1.", before the answer is there; it
 * will go out without what was sent. Legal while a request waits for its answer and nothing else.
 * Does nothing once all seven are out. [loop] */
void tap_send_ahead(int fd);

#endif
