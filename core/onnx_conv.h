/* One convolution of an ONNX graph, its BatchNormalization folded -> struct net_conv. */
#ifndef VP_ONNX_CONV_H
#define VP_ONNX_CONV_H

#include "net.h"
#include "onnx.h"

/* The value behind Identity nodes and casts to float, which are marked as used. */
size_t onnx_source(const struct onnx_graph *graph, size_t value);

/* A constant behind such nodes, marked as used; NULL when the value is none. Borrowed. */
struct tensor *onnx_constant(const struct onnx_graph *graph, size_t value);

/* What the convolution that gives value (through a BatchNormalization, if there is one) reads, or
 * ONNX_NONE when none does. Marks nothing but Identity nodes. */
size_t onnx_conv_input(const struct onnx_graph *graph, size_t value);

/* Takes that convolution. VP_ERR_MODEL names node or tensor: a shape, stride, padding, dilation or
 * group that the network has not, a missing bias, a node met before. On error net_free of the net
 * that holds *out frees it. */
enum vp_status onnx_conv_take(const struct onnx_graph *graph, size_t value, struct net_conv *out,
                              struct vp_err *err) VP_MUST_CHECK;

/* Refuses attributes beyond those listed ("axis keepdims"), and a number of inputs or outputs
 * outside the bounds; marks the node as used. VP_ERR_MODEL names the node. */
enum vp_status onnx_node_use(struct onnx_node *node, const char *attributes, size_t min_inputs,
                             size_t max_inputs, struct vp_err *err) VP_MUST_CHECK;

#endif
