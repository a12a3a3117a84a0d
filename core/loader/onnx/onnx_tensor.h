/*
 * An ONNX TensorProto -> struct tensor. Values lie in raw_data or in the typed field of their
 * kind; external data, strings and types that the network has no use for are refused. Any thread.
 */
#ifndef VP_ONNX_TENSOR_H
#define VP_ONNX_TENSOR_H

#include "base/pool.h"
#include "loader/onnx/protobuf.h"
#include "loader/tensor.h"

/*
 * Parses message into *out; name is used when the message has none, and may be NULL when it must.
 * out->data points into the file or into pool. VP_ERR_MODEL names the tensor.
 */
enum vp_status onnx_tensor_parse(struct protobuf_bytes message, const char *name, struct pool *pool,
                                 struct tensor *out, struct vp_err *err) VP_MUST_CHECK;

/* What a Constant node's plain attribute states. */
struct onnx_values {
    const void *values; /* borrowed, [n], of type */
    size_t n;
    size_t n_dims; /* 0 (one value) or 1 */
    enum tensor_type type;
};

/* The tensor of that name, its values copied into the pool. */
enum vp_status onnx_tensor_of(const struct onnx_values *values, const char *name, struct pool *pool,
                              struct tensor *out, struct vp_err *err) VP_MUST_CHECK;

#endif
