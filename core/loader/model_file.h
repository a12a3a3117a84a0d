/*
 * A whole model file in memory, for as long as a loader reads it.
 *
 * Read, not mapped: a mapped file that somebody shortens raises SIGBUS, and one that is written
 * over changes between its digest and its weights.
 */
#ifndef VP_MODEL_FILE_H
#define VP_MODEL_FILE_H

#include "base/status.h"

struct model_file {
    void *bytes;    /* owned, [n_bytes], page aligned */
    size_t n_bytes; /* never 0 in a file that was read */
};

/* Reads the regular file at path. VP_ERR_IO when it cannot be opened or read, is no regular file,
 * or changes meanwhile; VP_ERR_MODEL when it is empty or beyond any model's size; VP_ERR_NO_MEMORY.
 * Free also after an error. */
enum vp_status model_file_read(const char *path, struct model_file *out,
                               struct vp_err *err) VP_MUST_CHECK;
void model_file_free(struct model_file *file);

/* What to call the model in the file at path: the name that its metadata states, or where that is
 * NULL the file's own; a file name that cannot be shown makes it "unnamed". Returns owned *out
 * (free). VP_ERR_NO_MEMORY. */
enum vp_status model_file_name(const char *stated, const char *path, char **out,
                               struct vp_err *err) VP_MUST_CHECK;

#endif
