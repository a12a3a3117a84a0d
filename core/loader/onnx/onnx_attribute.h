/* An ONNX AttributeProto -> struct onnx_attribute. Any thread. */
#ifndef VP_ONNX_ATTRIBUTE_H
#define VP_ONNX_ATTRIBUTE_H

#include "loader/onnx/onnx_graph.h"

/* Parses message; what *out points at lies in the file or in pool. VP_ERR_MODEL names the
 * attribute; sub-graphs and lists of tensors are refused. */
enum vp_status onnx_attribute_parse(struct protobuf_bytes message, struct pool *pool,
                                    struct onnx_attribute *out, struct vp_err *err) VP_MUST_CHECK;

#endif
