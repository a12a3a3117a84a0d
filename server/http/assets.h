/*
 * Files that the program carries in itself: the pages, the contract, sample clips. The table is
 * made at build time by tools/pages/embed.py.
 */
#ifndef VP_ASSETS_H
#define VP_ASSETS_H

#include <stddef.h>

struct asset {
    const char *path; /* that it is served under */
    const char *type; /* Content-Type */
    const char *etag; /* quoted, from the content */
    const unsigned char *bytes;
    size_t n_bytes;
};

extern const struct asset assets[];
extern const size_t n_assets;

const struct asset *assets_find(const char *path); /* [any] NULL when there is none */

#endif
