/*
 * The small nets in the box (speech detector, target-speaker VAD) from .safetensors files: linear
 * layers and convolutions over time, each with its bias, in the order in which their products read
 * them. Any thread.
 */
#ifndef VP_SMALL_NET_H
#define VP_SMALL_NET_H

#include "loader/metadata.h"

struct small_layer {
    size_t n_out, n_in, n_taps; /* a linear layer has one tap */
    float *weight;              /* owned, [n_out / n_panel, n_taps, n_in, n_panel] */
    float *bias;                /* owned, [n_out] */
};

/* A layer as the file states it. */
struct small_layer_spec {
    const char *weight, *bias; /* tensors: [n_out, n_in, n_taps] or [n_out, n_in], and [n_out] */
    size_t n_out, n_in;
    size_t n_taps;             /* 0: a linear layer, whose tensor has no such dimension */
    size_t n_panel;            /* outputs that lie side by side; divides n_out */
    struct small_layer *layer; /* receives it; zeroes before */
};

/*
 * Reads bytes [n_bytes], borrowed for the call. specs [n_specs] are all that the file may hold;
 * `what` is what it should be, for messages. Fills *metadata, which starts as zeroes. The caller
 * clears metadata and layers, also after an error. VP_ERR_MODEL names the tensor that is missing,
 * of another shape, not finite or not asked for; VP_ERR_NO_MEMORY.
 */
enum vp_status small_net_read(const void *bytes, size_t n_bytes,
                              const struct small_layer_spec *specs, size_t n_specs,
                              const char *what, struct metadata *metadata,
                              struct vp_err *err) VP_MUST_CHECK;

void small_layer_clear(struct small_layer *layer); /* frees what is inside, not the layer */

#endif
