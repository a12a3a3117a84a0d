/* A model file in memory. */
#include "loader/model_file.h"

#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_NAME_CHARS 100u
#define MAX_BYTES       ((size_t)1 << 30) /* the largest WeSpeaker net, ResNet293, takes 115 MB */

static enum vp_status io_error(struct vp_err *err, const char *path, const char *what)
{
    return status_fail(err, VP_ERR_IO, "cannot %s model file %.120s: %s", what, path,
                       strerrordesc_np(errno));
}

static enum vp_status judge(const struct stat *facts, const char *path, struct vp_err *err)
{
    if (!S_ISREG(facts->st_mode))
        return status_fail(err, VP_ERR_IO, "%.120s is not a regular file; name the model itself",
                           path);
    if (facts->st_size <= 0)
        return status_fail(err, VP_ERR_MODEL, "model file %.120s is empty", path);
    if ((uintmax_t)facts->st_size > MAX_BYTES)
        return status_fail(err, VP_ERR_MODEL,
                           "model file %.120s has %ju bytes; no speaker model is that large", path,
                           (uintmax_t)facts->st_size);
    return VP_OK;
}

/* Is it still the file that was looked at first? */
static bool is_unchanged(int fd, const struct stat *before)
{
    struct stat now;
    return fstat(fd, &now) == 0 && now.st_size == before->st_size &&
           now.st_mtim.tv_sec == before->st_mtim.tv_sec &&
           now.st_mtim.tv_nsec == before->st_mtim.tv_nsec;
}

static enum vp_status read_all(int fd, const char *path, struct model_file *file,
                               struct vp_err *err)
{
    struct stat facts;
    if (fstat(fd, &facts) != 0)
        return io_error(err, path, "stat");
    enum vp_status status = judge(&facts, path, err);
    if (status != VP_OK)
        return status;
    size_t n_bytes = (size_t)facts.st_size, n_read = 0;
    /* Pages of its own: all of them go back at the end, whatever the heap looks like. */
    void *bytes = mmap(NULL, n_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (bytes == MAP_FAILED)
        return status_no_memory(err, "the model file", n_bytes);
    *file = (struct model_file){.bytes = bytes, .n_bytes = n_bytes};
    while (n_read < n_bytes) {
        ssize_t n = read(fd, (char *)bytes + n_read, n_bytes - n_read);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return io_error(err, path, "read");
        if (n == 0)
            break;
        n_read += (size_t)n;
    }
    if (n_read < n_bytes || !is_unchanged(fd, &facts))
        return status_fail(err, VP_ERR_IO,
                           "model file %.120s changed while it was read; write a new file beside "
                           "it and rename that",
                           path);
    return VP_OK;
}

enum vp_status model_file_read(const char *path, struct model_file *out, struct vp_err *err)
{
    *out = (struct model_file){0};
    /* O_NONBLOCK: a FIFO by that name must be refused, not waited for. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return io_error(err, path, "open");
    enum vp_status status = read_all(fd, path, out, err);
    close(fd);
    return status;
}

void model_file_free(struct model_file *file)
{
    if (file->bytes != NULL)
        munmap(file->bytes, file->n_bytes);
    *file = (struct model_file){0};
}

enum vp_status model_file_name(const char *stated, const char *path, char **out, struct vp_err *err)
{
    const char *slash = strrchr(path, '/');
    const char *own = slash != NULL ? slash + 1 : path;
    *out = strdup(stated != NULL                            ? stated
                  : text_is_printable(own, MOST_NAME_CHARS) ? own
                                                            : "unnamed");
    return *out != NULL ? VP_OK : status_no_memory(err, "the model's name", strlen(path));
}
