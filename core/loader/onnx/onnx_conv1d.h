/* Convolutions over time of an ONNX graph, and the BatchNormalization on either side of them. */
#ifndef VP_ONNX_CONV1D_H
#define VP_ONNX_CONV1D_H

#include "loader/onnx/onnx_graph.h"
#include "network/net.h"

/* What a convolution must be; padded so that the stride alone decides the length. */
struct onnx_conv1d_shape {
    size_t n_taps, stride, dilation;
};

/* Takes the convolution that gives *value, by itself or through a BatchNormalization, which is
 * folded; *value becomes what it reads. *out is zero, and the caller's to free, also after an
 * error. VP_ERR_MODEL names node or tensor. */
enum vp_status onnx_conv1d_take(const struct onnx_graph *graph, size_t *value,
                                const struct onnx_conv1d_shape *shape, struct net_conv1d *out,
                                struct vp_err *err) VP_MUST_CHECK;

/* Folds the BatchNormalization norm, which stands behind conv. */
enum vp_status onnx_conv1d_fold(const struct onnx_graph *graph, struct onnx_node *norm,
                                struct net_conv1d *conv, struct vp_err *err) VP_MUST_CHECK;

/* Takes the ReLU that gives *value, which conv reads, and the BatchNormalization before that;
 * *value becomes what the latter reads. */
enum vp_status onnx_conv1d_norm_before(const struct onnx_graph *graph, size_t *value,
                                       struct net_conv1d *conv, struct vp_err *err) VP_MUST_CHECK;

#endif
