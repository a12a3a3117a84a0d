/* A memfd, sealed in size. */
#include "sandbox/shared.h"

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { KEPT_BYTES = 1 << 19 }; /* pages that most recordings need */

static size_t whole_pages(size_t n)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (n + page - 1) / page * page;
}

/* False: nothing can be so large. */
static bool measure(struct shared_size size, size_t *samples_bytes, size_t *total)
{
    if (size.n_samples > PTRDIFF_MAX / 2 / sizeof(float) || size.n_bytes > PTRDIFF_MAX / 4)
        return false;
    *samples_bytes = whole_pages(size.n_samples * sizeof(float));
    *total = *samples_bytes + whole_pages(size.n_bytes);
    return true;
}

int shared_create(struct shared_size size)
{
    size_t samples_bytes, total;
    if (!measure(size, &samples_bytes, &total))
        return -1;
    const int fd = memfd_create("voiceprintd", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -1;
    if (ftruncate(fd, (off_t)total) == 0 &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        return fd;
    close(fd);
    return -1;
}

bool shared_map(struct shared *shared, int fd, struct shared_size size)
{
    size_t samples_bytes, total;
    if (!measure(size, &samples_bytes, &total))
        return false;
    void *start = mmap(NULL, total, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (start == MAP_FAILED)
        return false;
    *shared = (struct shared){
        .size = size, .samples = start, .bytes = (unsigned char *)start + samples_bytes};
    return true;
}

void shared_leave_bytes(struct shared *shared)
{
    if (shared->bytes != NULL)
        (void)munmap(shared->bytes, whole_pages(shared->size.n_bytes));
    shared->bytes = NULL;
}

void shared_unmap(struct shared *shared)
{
    shared_leave_bytes(shared);
    if (shared->samples != NULL)
        (void)munmap(shared->samples, whole_pages(shared->size.n_samples * sizeof(float)));
    *shared = (struct shared){0};
}

/* Where pages cannot be given back they are cleared as well. */
static void clear(void *from, size_t n_bytes)
{
    unsigned char *start = from;
    size_t kept = n_bytes;
    if (n_bytes > KEPT_BYTES &&
        madvise(start + KEPT_BYTES, whole_pages(n_bytes) - KEPT_BYTES, MADV_REMOVE) == 0)
        kept = KEPT_BYTES;
    memset(start, 0, kept);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

void shared_forget(struct shared *shared, size_t n_bytes, size_t n_samples)
{
    clear(shared->bytes, least(n_bytes, shared->size.n_bytes));
    clear(shared->samples, least(n_samples, shared->size.n_samples) * sizeof *shared->samples);
}
