/* Large memory, freed piece by piece. */
#include "util/spent.h"

#include "util/thread.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    AT_ONCE_BYTES = 256 << 10, /* 30 us; so much of each of 512 connections makes 15 ms */
    TURN_BYTES = 16 << 20      /* 2 ms */
};

/* Lies at the start of what it stands for. */
struct spent {
    struct spent *next;
    size_t n_bytes; /* of it that may still hold pages */
};

static uv_idle_t idle; /* runs in each turn while there is something, and lets the loop not sleep */
static bool is_open;
static struct spent *first;

/* Gives back the pages of its last n_bytes, and what is over in front of a page's start. */
static void trim(struct spent *spent, size_t n_bytes)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), start = (uintptr_t)spent;
    const uintptr_t end = (start + spent->n_bytes) & ~(page - 1);
    const uintptr_t from = (start + spent->n_bytes - n_bytes) & ~(page - 1);
    /* No more than a hint: the free() that follows does all of it. */
    (void)madvise((void *)from, end - from, MADV_DONTNEED);
    spent->n_bytes = from - start;
}

static void on_idle(uv_idle_t *handle)
{
    size_t left = TURN_BYTES;
    while (first != NULL && left > 0) {
        struct spent *spent = first;
        if (spent->n_bytes > left) {
            trim(spent, left);
            return;
        }
        left -= spent->n_bytes;
        first = spent->next;
        free(spent);
    }
    if (first == NULL)
        uv_idle_stop(handle);
}

bool spent_open(uv_loop_t *loop)
{
    is_open = uv_idle_init(loop, &idle) == 0;
    return is_open;
}

void spent_free(void *bytes, size_t n_bytes)
{
    ON_LOOP();
    if (bytes == NULL || !is_open || n_bytes <= AT_ONCE_BYTES) {
        free(bytes);
        return;
    }
    struct spent *spent = bytes;
    *spent = (struct spent){.next = first, .n_bytes = n_bytes};
    first = spent;
    uv_idle_start(&idle, on_idle);
}

void spent_close(void)
{
    while (first != NULL) {
        struct spent *spent = first;
        first = spent->next;
        free(spent);
    }
    is_open = false;
}
