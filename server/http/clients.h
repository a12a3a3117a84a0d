/*
 * Who holds how much: the table of clients. A client is an API key, and an address of that key's,
 * or where no keys are asked an address alone. Each has a share of upload memory, of connections
 * and of the places in the queue. Nobody is refused for it while there is room. When there is none,
 * whoever holds more than its share gives way to whoever would still be within it: so one client
 * alone has the use of everything, and no client can keep the others out. Between two keys it
 * counts what the keys hold, between two requests with one key what their addresses do.
 *
 * The table knows a client only while it holds something, and at most a connection, a request and a
 * job hold on to one: it cannot be filled beyond what these are limited to anyway. It keeps no key,
 * only a digest, and nothing of it is logged. All on the loop.
 */
#ifndef VP_CLIENTS_H
#define VP_CLIENTS_H

#include "config/keys.h"
#include "util/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is shared, each by itself. Places of long work are counted until it is done. */
enum share {
    SHARE_CONNECTIONS = 0,
    SHARE_UPLOADS,       /* bytes of max_buffered_bytes */
    SHARE_CONVERSATIONS, /* bytes of diarize_max_body_bytes */
    SHARE_CLIPS,         /* places of the queue */
    SHARE_COMPARISONS,   /* places of large comparisons */
    SHARE_DIARIZATIONS,  /* places of diarizations */
    N_SHARES
};

struct client; /* a key or an address */

struct clients {
    void *tree; /* of struct client, see tsearch(3): no choice of addresses makes it slow */
    size_t n;   /* clients in it */
    size_t most[N_SHARES];   /* what one may hold while others want it too; 0: no limit */
    struct networks proxies; /* whose word is taken for whom they ask */
};

/* On whose account something is held: references, NULL where nobody is counted. Zeroed: nobody. */
struct holder {
    struct client *address, *key;
};

/* `percent` of `whole`, at least 1; no limit at 100. */
void clients_set_share(struct clients *clients, enum share share, size_t whole, unsigned percent);
/* Takes references on the client of that address, and on that of a key where there is one (else
 * NULL). False: memory is short, and the holder is nobody. */
bool holder_open(struct holder *holder, struct clients *clients, const struct address *address,
                 const unsigned char key_digest[KEY_DIGEST_BYTES]);
void holder_copy(struct holder *to, const struct holder *from); /* more references */
void holder_close(struct holder *holder); /* gives them back; legal twice and on nobody */

/* Counts n more, or n less that were counted before. */
void holder_take(const struct holder *holder, enum share share, size_t n);
void holder_give(const struct holder *holder, enum share share, size_t n);
/* Does the address hold more than its share? */
bool holder_is_over(const struct holder *holder, enum share share);
/* Does it hold more than its share, while n more would be within that of `other`? */
bool holder_gives_way(const struct holder *holder, const struct holder *other, enum share share,
                      size_t n);

#endif
