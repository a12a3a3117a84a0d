/* One convolution of an ONNX graph, its BatchNormalization folded -> struct net_conv. */
#ifndef VP_ONNX_CONV_H
#define VP_ONNX_CONV_H

#include "loader/onnx/onnx_graph.h"
#include "network/net.h"

/* What the convolution that gives value (through a BatchNormalization, if there is one) reads, or
 * ONNX_NONE when none does. Marks nothing but Identity nodes. */
size_t onnx_conv_input(const struct onnx_graph *graph, size_t value);

/* Takes that convolution. VP_ERR_MODEL names node or tensor: a shape, stride, padding, dilation or
 * group that the network has not, a missing bias, a node met before. On error net_free of the net
 * that holds *out frees it. */
enum vp_status onnx_conv_take(const struct onnx_graph *graph, size_t value, struct net_conv *out,
                              struct vp_err *err) VP_MUST_CHECK;

#endif
