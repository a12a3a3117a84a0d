/* A whole file in memory. */
#ifndef FILE_BYTES_H
#define FILE_BYTES_H

#include "voiceprint.h"

struct file_bytes {
    void *bytes; /* owned */
    size_t n;
};

/* Reads a file of up to 1 GiB, or a pipe to its end; "-" is stdin. False with *err filled
 * (VP_ERR_IO, VP_ERR_NO_MEMORY). */
bool file_bytes_read(const char *path, struct file_bytes *out, struct vp_err *err);
void file_bytes_free(struct file_bytes *file);

#endif
