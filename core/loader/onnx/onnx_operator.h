/*
 * The ONNX operators that may stand around the convolutions: reshaping, shapes as numbers, and the
 * arithmetic of mean and standard deviation. Any thread.
 */
#ifndef VP_ONNX_OPERATOR_H
#define VP_ONNX_OPERATOR_H

#include "loader/onnx/onnx.h"
#include "loader/onnx/onnx_array.h"

#define ONNX_MAX_INPUTS 5u /* of one such node */

/* A node at work. */
struct onnx_step {
    const struct onnx_node *node;
    const struct onnx_array *in[ONNX_MAX_INPUTS]; /* NULL for an input left out; in[0] is there */
    size_t n_in;
    struct pool *pool; /* owns what the operator makes */
};

struct onnx_operator {
    const char *op;
    size_t min_inputs, max_inputs;
    /* VP_ERR_MODEL when inputs or attributes do not fit, VP_ERR_NO_MEMORY. */
    enum vp_status (*eval)(const struct onnx_step *step, struct onnx_array *out);
};

/* The operator of that name, or NULL when it may not stand there. Static. */
const struct onnx_operator *onnx_operator_find(const char *op);

#endif
