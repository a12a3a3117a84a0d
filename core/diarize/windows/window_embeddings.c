/* Two arrays that grow together. */
#include "diarize/windows/window_embeddings.h"

#include <stdlib.h>

#include "base/array.h"

static enum vp_status grow(struct window_embeddings *embedded, struct vp_err *err)
{
    const size_t n = embedded->n + 1, n_row = embedded->dim * sizeof(float);
    size_t capacity = embedded->capacity; /* raised with the second array, by as much */
    float *embeddings = array_room(embedded->embeddings, &capacity, n, n_row);
    if (embeddings == NULL)
        return status_no_memory(err, "the embeddings", n * n_row);
    embedded->embeddings = embeddings;
    struct window *windows = array_room(embedded->windows, &embedded->capacity, n, sizeof *windows);
    if (windows == NULL)
        return status_no_memory(err, "the windows", n * sizeof *windows);
    embedded->windows = windows;
    return VP_OK;
}

enum vp_status window_embeddings_room(struct window_embeddings *embedded, float **embedding,
                                      struct vp_err *err)
{
    *embedding = NULL;
    enum vp_status status = embedded->n < embedded->capacity ? VP_OK : grow(embedded, err);
    if (status == VP_OK)
        *embedding = embedded->embeddings + embedded->n * embedded->dim;
    return status;
}

void window_embeddings_keep(struct window_embeddings *embedded, const struct window *window)
{
    embedded->windows[embedded->n++] = *window;
}

void window_embeddings_clear(struct window_embeddings *embedded)
{
    free(embedded->windows);
    free(embedded->embeddings);
    *embedded = (struct window_embeddings){.dim = embedded->dim};
}

size_t window_embeddings_bytes(const struct window_embeddings *embedded)
{
    return embedded->capacity * (embedded->dim * sizeof(float) + sizeof *embedded->windows);
}
