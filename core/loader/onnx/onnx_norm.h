/* A BatchNormalization node of an ONNX graph, in the mode of inference. Any thread. */
#ifndef VP_ONNX_NORM_H
#define VP_ONNX_NORM_H

#include "loader/onnx/onnx_graph.h"
#include "network/net.h"

struct onnx_norm {
    struct net_norm values; /* each [n], in parts */
    float *parts;           /* owned */
};

/* Reads the four vectors [n] of the node, which counts as used from here on. VP_ERR_MODEL names the
 * node. The caller clears *out, also after an error. */
enum vp_status onnx_norm_take(const struct onnx_graph *graph, struct onnx_node *node, size_t n,
                              struct onnx_norm *out, struct vp_err *err) VP_MUST_CHECK;
void onnx_norm_clear(struct onnx_norm *norm);

/* Input i of the node, a constant [n] of floats, to out [n]. */
enum vp_status onnx_norm_vector(const struct onnx_graph *graph, const struct onnx_node *node,
                                size_t i, size_t n, float *out, struct vp_err *err) VP_MUST_CHECK;

#endif
