/*
 * A whole file, mapped read-only for as long as a loader reads it.
 *
 * A file that somebody shortens while it is mapped raises SIGBUS; models are read once, at start,
 * and replaced by rename, so the mapping is not guarded against that.
 */
#ifndef VP_MAPPING_H
#define VP_MAPPING_H

#include "status.h"

struct mapping {
    void *bytes;    /* owned, [n_bytes], read-only */
    size_t n_bytes; /* never 0 in an open mapping */
};

/* Maps the regular file at path. VP_ERR_IO when it cannot be opened or is no regular file,
 * VP_ERR_MODEL when it is empty or beyond any model's size. Close also after an error. */
enum vp_status mapping_open(const char *path, struct mapping *out,
                            struct vp_err *err) VP_MUST_CHECK;
void mapping_close(struct mapping *mapping);

#endif
