/* A model file in memory. */
#include "mapping.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_BYTES ((size_t)1 << 30) /* the largest WeSpeaker net, ResNet293, takes 115 MB */

static enum vp_status io_error(struct vp_err *err, const char *path, const char *what)
{
    return status_fail(err, VP_ERR_IO, "cannot %s model file %.120s: %s", what, path,
                       strerrordesc_np(errno));
}

static enum vp_status map(int fd, const char *path, struct mapping *out, struct vp_err *err)
{
    struct stat facts;
    if (fstat(fd, &facts) != 0)
        return io_error(err, path, "stat");
    if (!S_ISREG(facts.st_mode))
        return status_fail(err, VP_ERR_IO, "%.120s is not a regular file; name the model itself",
                           path);
    if (facts.st_size <= 0)
        return status_fail(err, VP_ERR_MODEL, "model file %.120s is empty", path);
    if ((uintmax_t)facts.st_size > MAX_BYTES)
        return status_fail(err, VP_ERR_MODEL,
                           "model file %.120s has %ju bytes; no speaker model is that large", path,
                           (uintmax_t)facts.st_size);
    size_t n_bytes = (size_t)facts.st_size;
    void *bytes = mmap(NULL, n_bytes, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (bytes == MAP_FAILED)
        return io_error(err, path, "map");
    *out = (struct mapping){.bytes = bytes, .n_bytes = n_bytes};
    return VP_OK;
}

enum vp_status mapping_open(const char *path, struct mapping *out, struct vp_err *err)
{
    *out = (struct mapping){0};
    /* O_NONBLOCK: a FIFO by that name must be refused, not waited for. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return io_error(err, path, "open");
    enum vp_status status = map(fd, path, out, err);
    close(fd);
    return status;
}

void mapping_close(struct mapping *mapping)
{
    if (mapping->bytes != NULL)
        munmap(mapping->bytes, mapping->n_bytes);
    *mapping = (struct mapping){0};
}
