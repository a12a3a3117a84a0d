/*
 * What an ONNX graph does outside its convolutions, found out by numbers: the layout of the
 * features and the statistics that are pooled. However it is spelled, it must give the same values
 * as the definition in core/MODEL.md; known mistakes are named. Any thread.
 */
#ifndef VP_ONNX_PROBE_H
#define VP_ONNX_PROBE_H

#include "loader/onnx/onnx_array.h"
#include "loader/onnx/onnx_graph.h"
#include "network/net.h"

/* The value that the statistics `pooled` are taken of: the one ReLU behind which they lie. */
enum vp_status onnx_probe_find(const struct onnx_graph *graph, size_t pooled, size_t *body,
                               struct vp_err *err) VP_MUST_CHECK;

/* Features [1, T, n_mels] must reach the first convolution's input `head` as [1, 1, n_mels, T]. */
enum vp_status onnx_probe_features(const struct onnx_graph *graph, const struct net *net,
                                   size_t head, struct vp_err *err) VP_MUST_CHECK;

/* What statistics are taken of. */
struct onnx_probe_body {
    size_t n_channels;
    size_t n_freq; /* 0: [1, C, T] instead of [1, C, F, T] */
    size_t rate;   /* frames of features for one of these */
};

/* The body must give pooled [1, 2 * C * F]: the mean over T of each row c * F + f, then the
 * standard deviations, unbiased, 1e-7 or nothing added to the variance. */
enum vp_status onnx_probe_statistics(const struct onnx_graph *graph, size_t n_mels,
                                     const struct onnx_probe_body *shape, size_t body,
                                     size_t pooled, struct vp_err *err) VP_MUST_CHECK;

/* Computes target from value, numbers without order of dims [n_dims] whose last row is constant,
 * and from features of n_input_frames. *given: those numbers. Both lie in pool. */
enum vp_status onnx_probe_run(const struct onnx_graph *graph, size_t n_mels, size_t n_input_frames,
                              size_t value, const size_t *dims, size_t n_dims, size_t target,
                              struct pool *pool, struct onnx_array *given,
                              struct onnx_array *result, struct vp_err *err) VP_MUST_CHECK;

/* Is value what is expected, up to the rounding of constants in float32? */
bool onnx_probe_close(double value, double expected);

#endif
