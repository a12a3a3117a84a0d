/*
 * The ONNX operators that may stand around the convolutions: reshaping, shapes as numbers, and the
 * arithmetic of mean and standard deviation. Any thread.
 */
#ifndef VP_ONNX_OPERATOR_H
#define VP_ONNX_OPERATOR_H

#include "loader/onnx/onnx_step.h"

struct onnx_operator {
    const char *op;
    size_t min_inputs, max_inputs;
    /* VP_ERR_MODEL when inputs or attributes do not fit, VP_ERR_NO_MEMORY. */
    enum vp_status (*eval)(const struct onnx_step *step, struct onnx_array *out);
};

/* The operator of that name, or NULL when it may not stand there. Static. */
const struct onnx_operator *onnx_operator_find(const char *op);

#endif
