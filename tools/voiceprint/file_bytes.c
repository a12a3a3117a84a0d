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

/* To the end of what has no length: a pipe, a terminal. */
static bool read_stream(FILE *file, struct file_bytes *out, struct vp_err *err)
{
    size_t capacity = 0, n = 1;
    while (n > 0) {
        if (out->n == capacity) {
            capacity = capacity > 0 ? 2 * capacity : (size_t)1 << 20;
            void *grown = capacity <= LARGEST_BYTES ? realloc(out->bytes, capacity) : NULL;
            if (grown == NULL)
                return fail(err, VP_ERR_NO_MEMORY, "larger than 1 GiB, or than memory");
            out->bytes = grown;
        }
        n = fread((char *)out->bytes + out->n, 1, capacity - out->n, file);
        out->n += n;
    }
    return !ferror(file) || fail(err, VP_ERR_IO, "cannot be read");
}

static bool read_regular(FILE *file, size_t n, struct file_bytes *out, struct vp_err *err)
{
    if (n > LARGEST_BYTES)
        return fail(err, VP_ERR_IO, "larger than 1 GiB; cut it first");
    if ((out->bytes = malloc(n + 1)) == NULL)
        return fail(err, VP_ERR_NO_MEMORY, "no memory for the file");
    out->n = fread(out->bytes, 1, n, file);
    return out->n == n || fail(err, VP_ERR_IO, "cannot be read whole");
}

/* stdin, too, may be a file of which a part was read. */
static bool read_open(FILE *file, struct file_bytes *out, struct vp_err *err)
{
    struct stat facts;
    if (fstat(fileno(file), &facts) != 0)
        return fail(err, VP_ERR_IO, strerror(errno));
    if (S_ISDIR(facts.st_mode))
        return fail(err, VP_ERR_IO, "a folder, not a file");
    return S_ISREG(facts.st_mode) && file != stdin
               ? read_regular(file, (size_t)facts.st_size, out, err)
               : read_stream(file, out, err);
}

bool file_bytes_read(const char *path, struct file_bytes *out, struct vp_err *err)
{
    memset(out, 0, sizeof *out);
    const bool is_stdin = strcmp(path, "-") == 0;
    FILE *file = is_stdin ? stdin : fopen(path, "rb");
    if (file == NULL)
        return fail(err, VP_ERR_IO, strerror(errno));
    const bool good = read_open(file, out, err);
    if (!is_stdin)
        fclose(file);
    if (!good)
        file_bytes_free(out);
    return good;
}

void file_bytes_free(struct file_bytes *file)
{
    free(file->bytes);
    memset(file, 0, sizeof *file);
}
