/* Two arrays that grow by half. */
#include "diarize/speech/window_embeddings.h"

#include <stdlib.h>

static enum vp_status grow(struct units *units, struct vp_err *err)
{
    const size_t capacity = units->capacity + units->capacity / 2 + 64;
    size_t n_floats, n_bytes;
    if (!size_multiply(capacity, units->dim, &n_floats) ||
        !size_multiply(n_floats, sizeof(float), &n_bytes))
        return status_no_memory(err, "the embeddings", SIZE_MAX);
    float *embeddings = realloc(units->embeddings, n_bytes);
    if (embeddings == NULL)
        return status_no_memory(err, "the embeddings", n_bytes);
    units->embeddings = embeddings;
    struct window *windows = realloc(units->windows, capacity * sizeof *windows);
    if (windows == NULL)
        return status_no_memory(err, "the windows", capacity * sizeof *windows);
    units->windows = windows;
    units->capacity = capacity;
    return VP_OK;
}

enum vp_status units_room(struct units *units, float **embedding, struct vp_err *err)
{
    *embedding = NULL;
    enum vp_status status = units->n < units->capacity ? VP_OK : grow(units, err);
    if (status == VP_OK)
        *embedding = units->embeddings + units->n * units->dim;
    return status;
}

void units_keep(struct units *units, const struct window *window)
{
    units->windows[units->n++] = *window;
}

void units_clear(struct units *units)
{
    free(units->windows);
    free(units->embeddings);
    *units = (struct units){.dim = units->dim};
}

size_t units_bytes(const struct units *units)
{
    return units->capacity * (units->dim * sizeof(float) + sizeof *units->windows);
}
