/* Names of a parsed ONNX graph -> numbers, and an order to walk it in. Part of onnx_open. */
#ifndef VP_ONNX_LINK_H
#define VP_ONNX_LINK_H

#include "loader/onnx/onnx_graph.h"

/* Fills values, order, input, output and every node's edges. VP_ERR_MODEL names the node or value
 * that is read but never given, given twice, part of a cycle, or leads nowhere. */
enum vp_status onnx_link(struct onnx_graph *graph, struct vp_err *err) VP_MUST_CHECK;

#endif
