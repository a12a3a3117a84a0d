/* An ONNX NodeProto -> struct onnx_node, its edges by name. Any thread. */
#ifndef VP_ONNX_NODE_H
#define VP_ONNX_NODE_H

#include "loader/onnx/onnx_graph.h"

/* Parses message; what *node points at lies in the file or in pool. VP_ERR_MODEL names the node:
 * one without operator or output, of a foreign domain, or with an attribute twice. */
enum vp_status onnx_node_parse(struct protobuf_bytes message, struct pool *pool,
                               struct onnx_node *node, struct vp_err *err) VP_MUST_CHECK;

#endif
