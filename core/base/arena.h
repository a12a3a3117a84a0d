/*
 * One aligned block of memory, sized at start and handed out front to back: the inference
 * scratch and packed weights. Pieces are 64-byte aligned (one cache line, one AVX-512 vector) and
 * zeroed, with a red zone behind each that AddressSanitizer poisons. One owner at a time.
 */
#ifndef VP_ARENA_H
#define VP_ARENA_H

#include "base/status.h"

struct arena {
    unsigned char *base; /* owned; NULL while arena_build adds the pieces up */
    size_t n_bytes;      /* size of the block */
    size_t used;         /* handed out so far, or added up, red zones included */
    bool overflow;       /* the pieces that were added up fit no size_t */
};

/* Bytes that a piece of n_floats takes in an arena, red zone included. False on overflow. */
bool arena_floats_size(size_t n_floats, size_t *n_bytes) VP_MUST_CHECK;

/* Allocates n_bytes, zeroed. VP_ERR_NO_MEMORY, with `what` in the sentence. */
enum vp_status arena_init(struct arena *arena, size_t n_bytes, const char *what,
                          struct vp_err *err) VP_MUST_CHECK;
void arena_free(struct arena *arena); /* the block, not the struct; legal after a failed init */

/* Takes pieces with arena_floats and arena_rows, always the same ones in the same order, and keeps
 * where they lie; does not touch what is in them. */
typedef void arena_layout(void *ctx, struct arena *arena);

/* Runs layout twice: first to add up the sizes of its pieces, where each comes out as NULL, then,
 * from a block of that size, to hand them out. VP_ERR_NO_MEMORY, with `what` in the sentence; the
 * arena is then empty. */
enum vp_status arena_build(struct arena *arena, arena_layout *layout, void *ctx, const char *what,
                           struct vp_err *err) VP_MUST_CHECK;

/* The next n_floats. Asking for more than the arena holds is a broken invariant and aborts.
 * Borrowed from the arena. */
float *arena_floats(struct arena *arena, size_t n_floats);
/* The same for [n_rows, n_row]. */
float *arena_rows(struct arena *arena, size_t n_rows, size_t n_row);

#endif
