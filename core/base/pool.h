/* Small allocations that live and die together: what a reader builds of one file. One owner. */
#ifndef VP_POOL_H
#define VP_POOL_H

#include "base/status.h"

struct pool {
    void **pieces; /* owned, [n_pieces], each owned */
    size_t n_pieces, capacity;
};

/* n values of n_bytes each, zeroed, owned by the pool; never NULL for n = 0. NULL when there is no
 * memory or the product overflows. */
void *pool_alloc(struct pool *pool, size_t n, size_t n_bytes) VP_MUST_CHECK;

/* text [n_chars] with a NUL behind it. */
char *pool_text(struct pool *pool, const char *text, size_t n_chars) VP_MUST_CHECK;

void pool_free(struct pool *pool); /* all pieces; the pool is empty and usable afterwards */

#endif
