/* Conv nodes of one dimension, and the norms around them. */
#include "loader/onnx/onnx_conv1d.h"

#include "loader/onnx/onnx_conv.h"
#include "loader/onnx/onnx_norm.h"
#include "loader/onnx/onnx_walk.h"

#include <stdlib.h>

static enum vp_status check_geometry(const struct onnx_node *node,
                                     const struct onnx_conv1d_shape *shape, struct vp_err *err)
{
    const char *wrong = NULL, *foreign = onnx_conv_foreign_option(node);
    if (!onnx_conv_all_equal(node, "kernel_shape", 1, shape->n_taps))
        wrong = "kernel_shape";
    if (!onnx_conv_all_equal(node, "pads", 2, shape->n_taps / 2 * shape->dilation))
        wrong = "pads";
    if (!onnx_conv_all_equal(node, "dilations", 1, shape->dilation))
        wrong = "dilations";
    if (!onnx_conv_all_equal(node, "strides", 1, shape->stride))
        wrong = "strides";
    if (foreign != NULL)
        wrong = foreign;
    if (wrong == NULL)
        return VP_OK;
    return status_fail(err, VP_ERR_MODEL,
                       "ONNX: node '%.100s' (Conv): its %s is not that of a CAM++ at this place",
                       node->name, wrong);
}

/* Weight and, where there is one, bias. */
static enum vp_status read_conv(const struct onnx_graph *graph, const struct onnx_node *node,
                                const struct onnx_conv1d_shape *shape, struct net_conv1d *out,
                                struct vp_err *err)
{
    const struct tensor *weight = onnx_walk_constant(graph, node->inputs[1]);
    if (weight == NULL || weight->n_dims != 3 || weight->dims[2] != shape->n_taps ||
        weight->dims[0] > NET_MAX_CHANNELS || weight->n_values == 0)
        return status_fail(err, VP_ERR_MODEL,
                           "ONNX: node '%.80s' (Conv): weight '%.80s' is no constant [C, C, %zu]",
                           node->name, node->input_names[1], shape->n_taps);
    enum vp_status status =
        net_conv1d_init(out, weight->dims[0], weight->dims[1], weight->dims[2], err);
    out->stride = shape->stride;
    out->dilation = shape->dilation;
    if (status == VP_OK)
        status = tensor_read_floats(weight, out->weight, err);
    if (status == VP_OK && node->n_inputs == 3 && node->inputs[2] != ONNX_NONE)
        status = onnx_norm_vector(graph, node, 2, out->n_out, out->bias, err);
    return status;
}

/* The norm's scale and shift, each [n], owned by the caller also after an error. */
static enum vp_status read_norm(const struct onnx_graph *graph, struct onnx_node *node, size_t n,
                                float **scale, float **shift, struct vp_err *err)
{
    struct onnx_norm norm = {0};
    *scale = calloc(n, sizeof **scale);
    *shift = calloc(n, sizeof **shift);
    enum vp_status status = *scale != NULL && *shift != NULL
                                ? onnx_norm_take(graph, node, n, &norm, err)
                                : status_no_memory(err, "BatchNormalization", n * sizeof **scale);
    if (status == VP_OK)
        status = net_norm_scale(&norm.values, n, node->name, *scale, *shift, err);
    onnx_norm_clear(&norm);
    return status;
}

enum vp_status onnx_conv1d_fold(const struct onnx_graph *graph, struct onnx_node *norm,
                                struct net_conv1d *conv, struct vp_err *err)
{
    float *scale, *shift;
    const enum vp_status status = read_norm(graph, norm, conv->n_out, &scale, &shift, err);
    if (status == VP_OK)
        net_conv1d_fold(conv, scale, shift);
    free(scale);
    free(shift);
    return status;
}

enum vp_status onnx_conv1d_take(const struct onnx_graph *graph, size_t *value,
                                const struct onnx_conv1d_shape *shape, struct net_conv1d *out,
                                struct vp_err *err)
{
    struct onnx_node *norm = onnx_producer(graph, onnx_walk_source(graph, *value)), *node = NULL;
    if (onnx_walk_is(norm, "BatchNormalization") && norm->n_inputs > 0)
        *value = norm->inputs[0];
    else
        norm = NULL;
    enum vp_status status =
        onnx_walk_expect(graph, onnx_walk_source(graph, *value), "Conv", &node, err);
    if (status == VP_OK)
        status =
            onnx_walk_use(node, "auto_pad dilations group kernel_shape pads strides", 2, 3, err);
    if (status == VP_OK)
        status = check_geometry(node, shape, err);
    if (status == VP_OK)
        status = read_conv(graph, node, shape, out, err);
    if (status == VP_OK && norm != NULL)
        status = onnx_conv1d_fold(graph, norm, out, err);
    if (status == VP_OK)
        *value = onnx_walk_source(graph, node->inputs[0]);
    return status;
}

enum vp_status onnx_conv1d_norm_before(const struct onnx_graph *graph, size_t *value,
                                       struct net_conv1d *conv, struct vp_err *err)
{
    struct onnx_node *norm = NULL;
    enum vp_status status = onnx_walk_back(graph, value, "Relu", "", 1, err);
    if (status == VP_OK)
        status = onnx_walk_expect(graph, *value, "BatchNormalization", &norm, err);
    if (status == VP_OK)
        status = read_norm(graph, norm, conv->n_in, &conv->scale, &conv->shift, err);
    if (status == VP_OK)
        *value = onnx_walk_source(graph, norm->inputs[0]);
    return status;
}
