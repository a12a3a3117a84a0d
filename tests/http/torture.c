/*
 * Preloaded into the service: the allocation that a test asks for fails. The test and the service
 * share a page, the file that VOICEPRINT_TORTURE names (struct torture).
 *
 * Counted is what the program and the libraries that it leaves memory to ask for. Not counted: the
 * codecs, the resampler and the BLAS, of which some end the process when memory is short (see
 * tests/RELIABILITY.md), and the dynamic linker.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct torture {
    atomic_long left;   /* the allocation that fails when this gets to 0; below 0: none */
    atomic_long failed; /* so many did */
};

enum { MOST_RANGES = 64 };

static struct torture *torture;
static struct range {
    uintptr_t from, to;
} spared[MOST_RANGES];
static size_t n_spared;

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *old, size_t n);

static int spare(struct dl_phdr_info *info, size_t size, void *unused)
{
    static const char *const names[] = {"libsndfile", "libvorbis", "libFLAC",  "libogg",
                                        "libopus",    "libmpg123", "libmp3",   "libsoxr",
                                        "openblas",   "libgomp",   "ld-linux", "libgfortran"};
    (void)size;
    (void)unused;
    bool is_spared = false;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        is_spared = is_spared || strstr(info->dlpi_name, names[i]) != NULL;
    for (size_t i = 0; is_spared && i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type != PT_LOAD || (part->p_flags & PF_X) == 0 || n_spared == MOST_RANGES)
            continue;
        uintptr_t from = info->dlpi_addr + part->p_vaddr;
        spared[n_spared++] = (struct range){from, from + part->p_memsz};
    }
    return 0;
}

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("VOICEPRINT_TORTURE");
    int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *page = mmap(NULL, sizeof *torture, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    dl_iterate_phdr(spare, NULL);
    if (page != MAP_FAILED)
        torture = page;
}

static bool fails(void *caller)
{
    if (torture == NULL || atomic_load(&torture->left) < 0)
        return false;
    for (size_t i = 0; i < n_spared; i++)
        if ((uintptr_t)caller >= spared[i].from && (uintptr_t)caller < spared[i].to)
            return false;
    if (atomic_fetch_sub(&torture->left, 1) != 0)
        return false;
    atomic_fetch_add(&torture->failed, 1);
    errno = ENOMEM;
    return true;
}

void *malloc(size_t n)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *old, size_t n)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_realloc(old, n);
}
