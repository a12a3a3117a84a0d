/* BatchNormalization. */
#include "loader/onnx/onnx_norm.h"

#include "loader/onnx/onnx_walk.h"

#include <stdlib.h>

#define DEFAULT_EPS 1e-5 /* ONNX's */

enum vp_status onnx_norm_vector(const struct onnx_graph *graph, const struct onnx_node *node,
                                size_t i, size_t n, float *out, struct vp_err *err)
{
    struct tensor *tensor = onnx_walk_constant(graph, node->inputs[i]);
    if (tensor == NULL)
        return status_fail(err, VP_ERR_MODEL,
                           "ONNX: node '%.80s' (%.40s): input %zu is no constant", node->name,
                           node->op, i);
    enum vp_status status = tensor_check_shape(tensor, &n, 1, err);
    return status != VP_OK ? status : tensor_read_floats(tensor, out, err);
}

enum vp_status onnx_norm_take(const struct onnx_graph *graph, struct onnx_node *node, size_t n,
                              struct onnx_norm *out, struct vp_err *err)
{
    *out = (struct onnx_norm){0};
    enum vp_status status =
        onnx_walk_use(node, "epsilon momentum training_mode spatial", 5, 5, err);
    const struct onnx_attribute *epsilon = onnx_attribute(node, "epsilon");
    int64_t training;
    if (status != VP_OK)
        return status;
    if (!onnx_attribute_int(node, "training_mode", 0, &training) || training != 0 ||
        (epsilon != NULL && epsilon->kind != ONNX_ATTRIBUTE_FLOAT))
        return status_fail(err, VP_ERR_MODEL, "ONNX: node '%.100s' is in training mode",
                           node->name);
    out->parts = calloc(4 * n, sizeof *out->parts);
    if (out->parts == NULL)
        return status_no_memory(err, "BatchNormalization", 4 * n * sizeof *out->parts);
    for (size_t i = 0; i < 4 && status == VP_OK; i++)
        status = onnx_norm_vector(graph, node, i + 1, n, out->parts + i * n, err);
    out->values = (struct net_norm){
        .weight = out->parts,
        .bias = out->parts + n,
        .mean = out->parts + 2 * n,
        .variance = out->parts + 3 * n,
        /* 1e-5 as a float is meant as 1e-5: then both formats give the same bits */
        .eps = epsilon == NULL || (float)epsilon->number == (float)DEFAULT_EPS ? DEFAULT_EPS
                                                                               : epsilon->number,
    };
    return status;
}

void onnx_norm_clear(struct onnx_norm *norm)
{
    free(norm->parts);
    *norm = (struct onnx_norm){0};
}
