/* Tensor by tensor, out of PyTorch's order. */
#include "loader/small_net.h"

#include <stdlib.h>

#include "loader/safetensors.h"

/* rows [n_out, n_in, n_taps] -> weight [n_out / n_panel, n_taps, n_in, n_panel] */
static void pack(const float *rows, size_t n_panel, struct small_layer *layer)
{
    const size_t n_row = layer->n_taps * layer->n_in;
    for (size_t o = 0; o < layer->n_out; o++) {
        const float *row = rows + o * n_row;
        float *panel = layer->weight + o / n_panel * n_panel * n_row + o % n_panel;
        for (size_t i = 0; i < layer->n_in; i++)
            for (size_t k = 0; k < layer->n_taps; k++)
                panel[(k * layer->n_in + i) * n_panel] = row[i * layer->n_taps + k];
    }
}

static enum vp_status take_layer(const struct safetensors *file,
                                 const struct small_layer_spec *spec, const char *what,
                                 struct vp_err *err)
{
    struct small_layer *layer = spec->layer;
    layer->n_out = spec->n_out;
    layer->n_in = spec->n_in;
    layer->n_taps = spec->n_taps > 0 ? spec->n_taps : 1;
    const size_t dims[] = {spec->n_out, spec->n_in, spec->n_taps};
    const size_t n_bytes = layer->n_out * layer->n_in * layer->n_taps * sizeof *layer->weight;
    float *rows = NULL;
    enum vp_status status =
        safetensors_take(file, spec->weight, dims, spec->n_taps > 0 ? 3 : 2, &rows, err);
    if (status == VP_OK)
        status = safetensors_take(file, spec->bias, &spec->n_out, 1, &layer->bias, err);
    if (status == VP_OK && (layer->weight = malloc(n_bytes)) == NULL)
        status = status_no_memory(err, what, n_bytes);
    if (status == VP_OK)
        pack(rows, spec->n_panel, layer);
    free(rows);
    return status;
}

enum vp_status small_net_read(const void *bytes, size_t n_bytes,
                              const struct small_layer_spec *specs, size_t n_specs,
                              const char *what, struct metadata *metadata, struct vp_err *err)
{
    struct safetensors file;
    enum vp_status status = safetensors_open(bytes, n_bytes, &file, metadata, err);
    for (size_t i = 0; i < n_specs && status == VP_OK; i++)
        status = take_layer(&file, &specs[i], what, err);
    if (status == VP_OK)
        status = safetensors_finish(&file, what, err);
    safetensors_close(&file);
    return status;
}

void small_layer_clear(struct small_layer *layer)
{
    free(layer->weight);
    free(layer->bias);
    *layer = (struct small_layer){0};
}
