/*
 * Files that the program carries in itself: the pages, the contract, sample clips. The table is
 * made at build time by tools/pages/embed.py.
 */
#ifndef VP_ASSETS_H
#define VP_ASSETS_H

#include <stddef.h>

struct asset_form {
    const char *etag; /* quoted, from the content */
    const unsigned char *bytes;
    size_t n_bytes;
};

struct asset {
    const char *path; /* that it is served under */
    const char *type; /* Content-Type */
    struct asset_form plain;
    struct asset_form gzip; /* compressed when the program was built; empty: not worth it */
};

extern const struct asset assets[];
extern const size_t n_assets;

const struct asset *assets_find(const char *path); /* [any] NULL when there is none */
/* The form for a client with this Accept-Encoding, or NULL. [any] */
const struct asset_form *assets_choose(const struct asset *asset, const char *accept_encoding);

#endif
