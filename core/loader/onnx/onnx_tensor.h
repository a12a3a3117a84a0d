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

/* A tensor of given values, copied into the pool: what a Constant node's plain attributes state.
 * n_dims is 0 (one value) or 1. */
enum vp_status onnx_tensor_of(const void *values, size_t n_values, size_t n_dims,
                              enum tensor_type type, const char *name, struct pool *pool,
                              struct tensor *out, struct vp_err *err) VP_MUST_CHECK;

#endif
