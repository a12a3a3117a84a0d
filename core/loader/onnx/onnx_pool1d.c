/* Pooling over time, on numbers. */
#include "loader/onnx/onnx_pool1d.h"

#define LONGEST ((int64_t)1 << 20) /* of a window: more than any probe has */

/* The one number of an INTS attribute, fallback where there is none; 0 where it is no such thing.
 */
static int64_t one_int(const struct onnx_node *node, const char *name, int64_t fallback)
{
    const struct onnx_attribute *a = onnx_attribute(node, name);
    if (a == NULL)
        return fallback;
    return a->kind == ONNX_ATTRIBUTE_INTS && a->n_values == 1 ? a->integers[0] : 0;
}

static bool pads_nothing(const struct onnx_node *node)
{
    const struct onnx_attribute *a = onnx_attribute(node, "pads");
    bool nothing = a == NULL || a->kind == ONNX_ATTRIBUTE_INTS;
    for (size_t i = 0; a != NULL && nothing && i < a->n_values; i++)
        nothing = a->integers[i] == 0;
    return nothing;
}

enum vp_status onnx_pool1d_average(const struct onnx_step *step, struct onnx_array *out)
{
    const struct onnx_array *a = step->in[0];
    const int64_t size = one_int(step->node, "kernel_shape", 0);
    int64_t ceil_mode;
    if (a->n_dims != 3 || size < 1 || size > LONGEST || one_int(step->node, "strides", 1) != size ||
        one_int(step->node, "dilations", 1) != 1 || !pads_nothing(step->node) ||
        !onnx_attribute_int(step->node, "ceil_mode", 0, &ceil_mode))
        return VP_ERR_MODEL;
    const size_t n_in = a->dims[2], window = (size_t)size;
    const size_t n_out = (n_in + (ceil_mode != 0 ? window - 1 : 0)) / window;
    const size_t dims[] = {a->dims[0], a->dims[1], n_out};
    const enum vp_status status = onnx_array_new(step->pool, dims, 3, out);
    for (size_t i = 0; i < out->n_values && status == VP_OK; i++) {
        const size_t from = i % n_out * window, rest = n_in - from;
        const size_t n = rest < window ? rest : window;
        const double *row = a->data + i / n_out * n_in + from;
        double sum = 0.0;
        for (size_t t = 0; t < n; t++)
            sum += row[t];
        out->data[i] = sum / (double)n;
    }
    return status;
}

enum vp_status onnx_pool1d_pad(const struct onnx_step *step, struct onnx_array *out)
{
    const struct onnx_array *pads = step->in[1];
    if (pads == NULL)
        return VP_ERR_MODEL;
    for (size_t i = 0; i < pads->n_values; i++)
        if (pads->data[i] != 0.0)
            return VP_ERR_MODEL;
    *out = *step->in[0];
    return VP_OK;
}
