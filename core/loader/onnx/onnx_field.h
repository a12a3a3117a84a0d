/* What all messages of an ONNX file need of their fields. Any thread. */
#ifndef VP_ONNX_FIELD_H
#define VP_ONNX_FIELD_H

#include "base/pool.h"
#include "loader/onnx/protobuf.h"

/* VP_ERR_MODEL: "what" is malformed. */
enum vp_status onnx_field_malformed(const char *what, struct vp_err *err);

/* A field that must be text, up to 250 printable ASCII characters or none; copied into pool. */
enum vp_status onnx_field_text(const struct protobuf_field *field, const char *what,
                               struct pool *pool, const char **out,
                               struct vp_err *err) VP_MUST_CHECK;

/* How many fields of each number below n_numbers the message has. VP_ERR_MODEL when it is
 * malformed: after this, walking it again cannot fail. */
enum vp_status onnx_field_count(struct protobuf_bytes message, const char *what, size_t *counts,
                                size_t n_numbers, struct vp_err *err) VP_MUST_CHECK;

#endif
