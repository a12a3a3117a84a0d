/*
 * A tensor as it lies in a model file: name, type, shape and the bytes of its values. What the
 * readers (safetensors, onnx) hand to those who know the network (weights, onnx_bind).
 */
#ifndef VP_TENSOR_H
#define VP_TENSOR_H

#include "base/status.h"

#define TENSOR_MAX_DIMS   8
#define TENSOR_TEXT_CHARS 96 /* a shape as text, "[64, 32, 3, 3]" */

enum tensor_type { TENSOR_F32, TENSOR_F16, TENSOR_F64, TENSOR_I64, TENSOR_I32, TENSOR_BOOL };

struct tensor {
    const char *name; /* borrowed, printable ASCII */
    enum tensor_type type;
    size_t n_dims; /* 0: a scalar */
    size_t dims[TENSOR_MAX_DIMS];
    size_t n_values;           /* product of dims */
    const unsigned char *data; /* borrowed, [n_values] little-endian, any alignment */
    bool used;                 /* the network has taken it */
};

size_t tensor_type_bytes(enum tensor_type type); /* of one value */

/* "[64, 32, 3, 3]", "[]" for a scalar; cut with "..." when long. Returns text. */
const char *tensor_shape_text(const size_t *dims, size_t n_dims, char text[TENSOR_TEXT_CHARS]);

/* Values of an F32 or F16 tensor as float [n_values]. VP_ERR_MODEL, naming the tensor, when it is
 * of another type or holds NaN or infinity. */
enum vp_status tensor_read_floats(const struct tensor *tensor, float *out,
                                  struct vp_err *err) VP_MUST_CHECK;

/* Refuses a tensor of any other shape: VP_ERR_MODEL with the name and both shapes. */
enum vp_status tensor_check_shape(const struct tensor *tensor, const size_t *dims, size_t n_dims,
                                  struct vp_err *err) VP_MUST_CHECK;

#endif
