/*
 * The bytes of one upload, collected whole under two limits: the request's own, and one budget
 * for all uploads of the process. What is declared is reserved before the first byte arrives;
 * memory is taken as bytes come. A body that broke a limit keeps counting, so that the answer can
 * wait for the end of the upload, but keeps nothing.
 */
#ifndef VP_BODY_H
#define VP_BODY_H

#include "http/clients.h"
#include "voiceprint.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct budget {
    size_t max_bytes;
    size_t used_bytes;
    bool was_short;   /* somebody was refused since the last tick, which looks for uploads to cut */
    enum share share; /* what of a client's it counts as */
    /* Ends uploads of those who give way to `other`, so that n_bytes are free. NULL: nobody does.
     */
    void (*make_room)(struct budget *budget, const struct holder *other, size_t n_bytes);
    void *owner; /* borrowed; make_room's */
};

enum body_fault { BODY_GOOD = 0, BODY_TOO_LARGE, BODY_NO_BUDGET };

struct body {
    struct budget *budget; /* borrowed */
    struct holder holder;  /* on whose account; references */
    size_t max_bytes;
    size_t reserved_bytes; /* of the budget */
    unsigned char *bytes;  /* owned, n_bytes of room_bytes used; NULL while empty */
    size_t n_bytes, room_bytes;
    uint64_t counted_bytes; /* all that arrived, kept or not */
    enum body_fault fault;
};

#define BODY_LENGTH_UNKNOWN UINT64_MAX /* chunked */

/* Reserves declared_bytes (or a first step when unknown) on holder's account. Anything but
 * BODY_GOOD: nothing is held. [loop] */
enum body_fault body_open(struct body *body, struct budget *budget, const struct holder *holder,
                          size_t max_bytes, uint64_t declared_bytes) VP_MUST_CHECK;
/* Takes n more bytes. After a fault it only counts. [loop] */
void body_append(struct body *body, const void *bytes, size_t n);
/* The client sends more than twice what is allowed: not worth swallowing. [loop] */
bool body_is_hopeless(const struct body *body);
/* Bytes of the budget that nobody has. [loop] */
size_t budget_left(const struct budget *budget);
/* Nobody waits for it any more: it holds nothing from now on, and only counts. [loop] */
void body_refuse(struct body *body);
/* Hands bytes and reservation over to an empty body; the count of what arrived stays. [loop] */
void body_move(struct body *from, struct body *to);
/* Frees the bytes and gives the reservation back; legal twice and on a zeroed body. [loop] */
void body_close(struct body *body);

#endif
