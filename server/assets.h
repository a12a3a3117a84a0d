/* Files of this repository that the program carries in itself. */
#ifndef VP_ASSETS_H
#define VP_ASSETS_H

#include <stddef.h>

struct asset {
    const char *path; /* that it is served under */
    const char *type; /* Content-Type */
    const unsigned char *bytes, *end;
};

const struct asset *assets_find(const char *path); /* [any] NULL when there is none */
size_t assets_size(const struct asset *asset);     /* [any] */

#endif
