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

/* For convolutions of one dimension too: is an INTS attribute n times that value, or absent where
 * absence says the same? And which of "group" and "auto_pad" says what no network here has; NULL:
 * neither. */
bool onnx_conv_all_equal(const struct onnx_node *node, const char *name, size_t n, size_t value);
const char *onnx_conv_foreign_option(const struct onnx_node *node);

#endif
