/*
 * One aligned block of memory, sized at start and handed out front to back: the inference
 * scratch. Pieces are 64-byte aligned (one cache line, one AVX-512 vector) and zeroed, with a
 * red zone behind each that AddressSanitizer poisons. One owner at a time.
 */
#ifndef VP_ARENA_H
#define VP_ARENA_H

#include "base/status.h"

struct arena {
    unsigned char *base; /* owned */
    size_t n_bytes;      /* size of the block */
    size_t used;         /* handed out so far, red zones included */
};

/* Bytes that a piece of n_floats takes in an arena, red zone included. False on overflow. */
bool arena_floats_size(size_t n_floats, size_t *n_bytes) VP_MUST_CHECK;

/* Allocates n_bytes, zeroed. VP_ERR_NO_MEMORY, with `what` in the sentence. */
enum vp_status arena_init(struct arena *arena, size_t n_bytes, const char *what,
                          struct vp_err *err) VP_MUST_CHECK;
void arena_free(struct arena *arena); /* the block, not the struct; legal after a failed init */

/* The next n_floats. Never fails when arena_floats_size of every piece was summed before: asking
 * for more than the arena holds is a broken invariant and aborts. Borrowed from the arena. */
float *arena_floats(struct arena *arena, size_t n_floats);

#endif
