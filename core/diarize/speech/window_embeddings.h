/*
 * What was embedded: one row a window, growing with the recording. One owner at a time.
 */
#ifndef VP_UNITS_H
#define VP_UNITS_H

#include "diarize/speech/windows.h"

struct units {
    size_t dim;
    size_t n, capacity;
    struct window *windows; /* owned, [n], in order of time */
    float *embeddings;      /* owned, [n, dim], L2 norm 1 */
};

/* Room for one more: *embedding [dim] is where its embedding belongs, borrowed until the next
 * call. Counts only with units_keep. VP_ERR_NO_MEMORY. */
enum vp_status units_room(struct units *units, float **embedding, struct vp_err *err) VP_MUST_CHECK;
void units_keep(struct units *units, const struct window *window);
void units_clear(struct units *units); /* frees what is inside, not the struct */
size_t units_bytes(const struct units *units);

#endif
