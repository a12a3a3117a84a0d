/*
 * What an ONNX graph of a CAM++ does between its convolutions, found out by numbers as in
 * onnx_probe. Any thread.
 */
#ifndef VP_ONNX_CAMPPLUS_PROBE_H
#define VP_ONNX_CAMPPLUS_PROBE_H

#include "loader/onnx/onnx_graph.h"
#include "network/net.h"

/* From y [1, n_channels, H], what the gate's first convolution reads must be the mean over the clip
 * plus the mean over the frame's segment. */
enum vp_status onnx_campplus_probe_gate(const struct onnx_graph *graph, size_t n_mels,
                                        size_t n_channels, size_t y, size_t context,
                                        struct vp_err *err) VP_MUST_CHECK;

/* head [1, C, F, T] must reach the first 1-D convolution as rows [1, C F, T], row c F + f. */
enum vp_status onnx_campplus_probe_rows(const struct onnx_graph *graph, const struct net *net,
                                        size_t head, size_t rows, struct vp_err *err) VP_MUST_CHECK;

/* Is it a node that may stand between the last convolution and its norm? */
bool onnx_campplus_probe_reshapes(const struct onnx_node *node);

/* given [1, dim, 1] must be flat in the same order: [1, dim] or [1, dim, 1]. */
enum vp_status onnx_campplus_probe_flat(const struct onnx_graph *graph, size_t dim, size_t given,
                                        size_t flat, struct vp_err *err) VP_MUST_CHECK;

#endif
