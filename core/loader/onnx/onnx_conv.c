/* Conv and BatchNormalization nodes. */
#include "loader/onnx/onnx_conv.h"

#include "loader/onnx/onnx_norm.h"
#include "loader/onnx/onnx_walk.h"

#include <string.h>

/* The node of `value` if it is a convolution, behind a BatchNormalization if there is one. */
static struct onnx_node *find_conv(const struct onnx_graph *graph, size_t value,
                                   struct onnx_node **norm)
{
    struct onnx_node *node = onnx_producer(graph, onnx_walk_source(graph, value));
    *norm = NULL;
    if (onnx_walk_is(node, "BatchNormalization") && node->n_inputs > 0) {
        *norm = node;
        node = onnx_producer(graph, onnx_walk_source(graph, node->inputs[0]));
    }
    return onnx_walk_is(node, "Conv") && node->n_inputs > 0 ? node : NULL;
}

size_t onnx_conv_input(const struct onnx_graph *graph, size_t value)
{
    struct onnx_node *norm;
    const struct onnx_node *conv = find_conv(graph, value, &norm);
    return conv != NULL ? onnx_walk_source(graph, conv->inputs[0]) : ONNX_NONE;
}

bool onnx_conv_all_equal(const struct onnx_node *node, const char *name, size_t n, size_t value)
{
    const struct onnx_attribute *a = onnx_attribute(node, name);
    if (a == NULL) /* ONNX's defaults; a kernel is as large as its weight */
        return strcmp(name, "kernel_shape") == 0 || value == (strcmp(name, "pads") == 0 ? 0 : 1);
    bool equal = a->kind == ONNX_ATTRIBUTE_INTS && a->n_values == n;
    for (size_t i = 0; i < n && equal; i++)
        equal = a->integers[i] == (int64_t)value;
    return equal;
}

const char *onnx_conv_foreign_option(const struct onnx_node *node)
{
    const struct onnx_attribute *auto_pad = onnx_attribute(node, "auto_pad");
    int64_t group;
    if (auto_pad != NULL &&
        (auto_pad->kind != ONNX_ATTRIBUTE_STRING || strcmp(auto_pad->text, "NOTSET") != 0))
        return "auto_pad";
    return !onnx_attribute_int(node, "group", 1, &group) || group != 1 ? "group" : NULL;
}

/* Of frequency, 1 or 2, and of time, the same or 1; false for anything else. */
static bool read_strides(const struct onnx_node *node, size_t *stride, size_t *time_stride)
{
    const struct onnx_attribute *a = onnx_attribute(node, "strides");
    *stride = *time_stride = 1;
    if (a == NULL)
        return true;
    if (a->kind != ONNX_ATTRIBUTE_INTS || a->n_values != 2 || a->integers[0] < 1 ||
        a->integers[0] > 2 || (a->integers[1] != 1 && a->integers[1] != a->integers[0]))
        return false;
    *stride = (size_t)a->integers[0];
    *time_stride = (size_t)a->integers[1];
    return true;
}

static enum vp_status check_geometry(const struct onnx_node *node, size_t kernel,
                                     struct vp_err *err)
{
    const char *wrong = NULL, *foreign = onnx_conv_foreign_option(node);
    size_t stride, time_stride;
    if (!onnx_conv_all_equal(node, "kernel_shape", 2, kernel))
        wrong = "kernel_shape";
    if (!onnx_conv_all_equal(node, "pads", 4, kernel / 2))
        wrong = "pads";
    if (!onnx_conv_all_equal(node, "dilations", 2, 1))
        wrong = "dilations";
    if (!read_strides(node, &stride, &time_stride))
        wrong = "strides";
    if (foreign != NULL)
        wrong = foreign;
    if (wrong == NULL)
        return VP_OK;
    return status_fail(err, VP_ERR_MODEL,
                       "ONNX: node '%.100s' (Conv): its %s is not that of a ResNet", node->name,
                       wrong);
}

static enum vp_status fold_norm(const struct onnx_graph *graph, struct onnx_node *node,
                                struct net_conv *conv, struct vp_err *err)
{
    struct onnx_norm norm;
    enum vp_status status = onnx_norm_take(graph, node, conv->n_out, &norm, err);
    if (status == VP_OK)
        status = net_conv_fold(conv, &norm.values, node->name, err);
    onnx_norm_clear(&norm);
    return status;
}

enum vp_status onnx_conv_take(const struct onnx_graph *graph, size_t value, struct net_conv *out,
                              struct vp_err *err)
{
    struct onnx_node *norm = NULL;
    struct onnx_node *conv = find_conv(graph, value, &norm);
    if (conv == NULL)
        return status_fail(err, VP_ERR_MODEL, "ONNX: '%.100s' is not given by a convolution",
                           graph->values[value].name);
    enum vp_status status =
        onnx_walk_use(conv, "auto_pad dilations group kernel_shape pads strides", 2, 3, err);
    if (status != VP_OK)
        return status;
    const struct tensor *weight = onnx_walk_constant(graph, conv->inputs[1]);
    if (weight == NULL || weight->n_dims != 4 || weight->dims[2] != weight->dims[3] ||
        (weight->dims[2] != 1 && weight->dims[2] != 3) || weight->dims[0] > NET_MAX_CHANNELS ||
        weight->n_values == 0)
        return status_fail(err, VP_ERR_MODEL,
                           "ONNX: node '%.80s' (Conv): weight '%.80s' is no constant [C, C, 3, 3] "
                           "or [C, C, 1, 1]",
                           conv->name, conv->input_names[1]);
    status = check_geometry(conv, weight->dims[2], err);
    size_t stride, time_stride;
    if (status == VP_OK && read_strides(conv, &stride, &time_stride)) { /* as was checked */
        status = net_conv_init(out, weight->dims[0], weight->dims[1], weight->dims[2], stride, err);
        out->time_stride = time_stride;
    }
    if (status == VP_OK)
        status = tensor_read_floats(weight, out->weight, err);
    if (status != VP_OK)
        return status;
    if (conv->n_inputs == 3 && conv->inputs[2] != ONNX_NONE)
        status = onnx_norm_vector(graph, conv, 2, out->n_out, out->bias, err);
    else if (norm == NULL)
        status = status_fail(err, VP_ERR_MODEL,
                             "ONNX: node '%.100s' (Conv) has neither bias nor BatchNormalization",
                             conv->name);
    return status == VP_OK && norm != NULL ? fold_norm(graph, norm, out, err) : status;
}
