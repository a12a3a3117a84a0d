/* A whole file in memory. */
#include "file_bytes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LARGEST_BYTES ((size_t)1 << 30)

static bool fail(struct vp_err *err, enum vp_status status, const char *what)
{
    memset(err, 0, sizeof *err);
    err->status = status;
    snprintf(err->message, sizeof err->message, "%s", what);
    return false;
}

bool file_bytes_read(const char *path, struct file_bytes *out, struct vp_err *err)
{
    memset(out, 0, sizeof *out);
    struct stat facts;
    FILE *file = fopen(path, "rb");
    if (file == NULL || fstat(fileno(file), &facts) != 0) {
        const int reason = errno;
        if (file != NULL)
            fclose(file);
        return fail(err, VP_ERR_IO, strerror(reason));
    }
    bool good = false;
    if (!S_ISREG(facts.st_mode))
        fail(err, VP_ERR_IO, "not a regular file");
    else if ((size_t)facts.st_size > LARGEST_BYTES)
        fail(err, VP_ERR_IO, "larger than 1 GiB; cut it first");
    else if ((out->bytes = malloc((size_t)facts.st_size + 1)) == NULL)
        fail(err, VP_ERR_NO_MEMORY, "no memory for the file");
    else {
        out->n = fread(out->bytes, 1, (size_t)facts.st_size, file);
        good = out->n == (size_t)facts.st_size || fail(err, VP_ERR_IO, "cannot be read whole");
    }
    fclose(file);
    if (!good)
        file_bytes_free(out);
    return good;
}

bool file_bytes_read_stdin(struct file_bytes *out, struct vp_err *err)
{
    size_t capacity = 0, n = 1;
    memset(out, 0, sizeof *out);
    while (n > 0) {
        if (out->n == capacity) {
            capacity = capacity > 0 ? 2 * capacity : (size_t)1 << 20;
            void *grown = capacity <= LARGEST_BYTES ? realloc(out->bytes, capacity) : NULL;
            if (grown == NULL) {
                file_bytes_free(out);
                return fail(err, VP_ERR_NO_MEMORY, "stdin is larger than 1 GiB, or than memory");
            }
            out->bytes = grown;
        }
        n = fread((char *)out->bytes + out->n, 1, capacity - out->n, stdin);
        out->n += n;
    }
    if (!ferror(stdin))
        return true;
    file_bytes_free(out);
    return fail(err, VP_ERR_IO, "cannot be read");
}

void file_bytes_free(struct file_bytes *file)
{
    free(file->bytes);
    memset(file, 0, sizeof *file);
}
