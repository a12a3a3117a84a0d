/* Two arrays that grow by half. */
#include "diarize/windows/window_embeddings.h"

#include <stdlib.h>

static enum vp_status grow(struct window_embeddings *embedded, struct vp_err *err)
{
    const size_t capacity = embedded->capacity + embedded->capacity / 2 + 64;
    size_t n_floats, n_bytes;
    if (!size_multiply(capacity, embedded->dim, &n_floats) ||
        !size_multiply(n_floats, sizeof(float), &n_bytes))
        return status_no_memory(err, "the embeddings", SIZE_MAX);
    float *embeddings = realloc(embedded->embeddings, n_bytes);
    if (embeddings == NULL)
        return status_no_memory(err, "the embeddings", n_bytes);
    embedded->embeddings = embeddings;
    struct window *windows = realloc(embedded->windows, capacity * sizeof *windows);
    if (windows == NULL)
        return status_no_memory(err, "the windows", capacity * sizeof *windows);
    embedded->windows = windows;
    embedded->capacity = capacity;
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
