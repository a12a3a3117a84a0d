/*
 * What was embedded: one row a window, growing with the recording. One owner at a time.
 */
#ifndef VP_WINDOW_EMBEDDINGS_H
#define VP_WINDOW_EMBEDDINGS_H

#include "diarize/windows/windows.h"

struct window_embeddings {
    size_t dim;
    size_t n, capacity;
    struct window *windows; /* owned, [n], in order of time */
    float *embeddings;      /* owned, [n, dim], L2 norm 1 */
};

/* Room for one more: *embedding [dim] is where its embedding belongs, borrowed until the next
 * call. Counts only with window_embeddings_keep. VP_ERR_NO_MEMORY. */
enum vp_status window_embeddings_room(struct window_embeddings *embedded, float **embedding,
                                      struct vp_err *err) VP_MUST_CHECK;
void window_embeddings_keep(struct window_embeddings *embedded, const struct window *window);
void window_embeddings_clear(
    struct window_embeddings *embedded); /* frees what is inside, not the struct */
size_t window_embeddings_bytes(const struct window_embeddings *embedded);

#endif
