/*
 * For whom a proxy asks: X-Forwarded-For, and Forwarded (RFC 7239). Each proxy appends the address
 * that it was asked from, so the list is read from its end: the right-most address that is no
 * trusted proxy's is the client's. What stands before it the client may have made up.
 */
#ifndef VP_FORWARDED_H
#define VP_FORWARDED_H

#include "util/address.h"

#include <microhttpd.h>

/* What the lines of one of the two headers have said so far. */
struct forwarded {
    enum { FORWARDED_NOBODY = 0, FORWARDED_ADDRESS, FORWARDED_UNCLEAR } says;
    struct address address; /* the right-most that is not trusted */
};

/* One more line of X-Forwarded-For: addresses, comma separated. [any] */
void forwarded_read_list(struct forwarded *forwarded, const char *value,
                         const struct networks *trusted);
/* One more line of Forwarded: elements of parameters, `for` among them. [any] */
void forwarded_read_elements(struct forwarded *forwarded, const char *value,
                             const struct networks *trusted);
/*
 * Whom a request that a trusted proxy hands over is for. False: its headers do not say it, or not
 * clearly. Where both headers are there and disagree neither is believed: a proxy that writes one
 * of them commonly lets the other pass, as the client made it up. [loop]
 */
bool forwarded_address(struct MHD_Connection *handle, const struct networks *trusted,
                       struct address *address);

#endif
