/* One node of an ONNX graph at work, as the operators see it. */
#ifndef VP_ONNX_STEP_H
#define VP_ONNX_STEP_H

#include "loader/onnx/onnx_array.h"
#include "loader/onnx/onnx_graph.h"

#define ONNX_MAX_INPUTS 5u /* of one such node */

/* A node at work. */
struct onnx_step {
    const struct onnx_node *node;
    const struct onnx_array *in[ONNX_MAX_INPUTS]; /* NULL for an input left out; in[0] is there */
    size_t n_in;
    struct pool *pool; /* owns what the operator makes */
};

#endif
