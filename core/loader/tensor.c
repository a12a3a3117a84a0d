/* Tensors of model files: sizes, shapes, values. */
#include "loader/tensor.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Model files are little-endian, and so is every machine this is built for. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "model files are read as they lie");

size_t tensor_type_bytes(enum tensor_type type)
{
    switch (type) {
    case TENSOR_F64:
    case TENSOR_I64:
        return 8;
    case TENSOR_F32:
    case TENSOR_I32:
        return 4;
    case TENSOR_F16:
        return 2;
    case TENSOR_BOOL:
        return 1;
    }
    return 0;
}

const char *tensor_shape_text(const size_t *dims, size_t n_dims, char text[TENSOR_TEXT_CHARS])
{
    size_t used = (size_t)snprintf(text, TENSOR_TEXT_CHARS, "[");
    for (size_t i = 0; i < n_dims; i++) {
        if (used > TENSOR_TEXT_CHARS - 32) { /* ", ", 20 digits, "]" and the NUL still fit above */
            used += (size_t)snprintf(text + used, TENSOR_TEXT_CHARS - used, ", ...");
            break;
        }
        used += (size_t)snprintf(text + used, TENSOR_TEXT_CHARS - used, "%s%zu", i > 0 ? ", " : "",
                                 dims[i]);
    }
    snprintf(text + used, TENSOR_TEXT_CHARS - used, "]");
    return text;
}

/* IEEE 754 binary16 -> binary32, exact. Sign 1, exponent 5 (bias 15), mantissa 10. */
static float half_to_float(uint16_t half)
{
    unsigned exponent = (half >> 10) & 31u;
    unsigned mantissa = half & 1023u;
    float magnitude = exponent == 31  ? (mantissa == 0 ? INFINITY : NAN)
                      : exponent == 0 ? ldexpf((float)mantissa, -24) /* subnormal */
                                      : 0.0F;
    if (exponent != 0 && exponent != 31) {
        uint32_t bits = ((uint32_t)exponent + 127u - 15u) << 23 | (uint32_t)mantissa << 13;
        memcpy(&magnitude, &bits, sizeof magnitude);
    }
    return half >> 15 ? -magnitude : magnitude;
}

enum vp_status tensor_read_floats(const struct tensor *tensor, float *out, struct vp_err *err)
{
    if (tensor->type == TENSOR_F32) {
        memcpy(out, tensor->data, tensor->n_values * sizeof *out);
    } else if (tensor->type == TENSOR_F16) {
        for (size_t i = 0; i < tensor->n_values; i++) {
            uint16_t half;
            memcpy(&half, tensor->data + i * sizeof half, sizeof half);
            out[i] = half_to_float(half);
        }
    } else {
        return status_fail(err, VP_ERR_MODEL, "tensor '%.100s' does not hold floats (F32 or F16)",
                           tensor->name);
    }
    for (size_t i = 0; i < tensor->n_values; i++)
        if (!isfinite(out[i]))
            return status_fail(err, VP_ERR_MODEL,
                               "tensor '%.100s' holds NaN or infinity (value %zu)", tensor->name,
                               i);
    return VP_OK;
}

enum vp_status tensor_check_shape(const struct tensor *tensor, const size_t *dims, size_t n_dims,
                                  struct vp_err *err)
{
    bool same = tensor->n_dims == n_dims;
    for (size_t i = 0; same && i < n_dims; i++)
        same = tensor->dims[i] == dims[i];
    if (same)
        return VP_OK;
    char found[TENSOR_TEXT_CHARS], expected[TENSOR_TEXT_CHARS];
    return status_fail(err, VP_ERR_MODEL, "tensor '%.80s' has shape %s where %s is needed",
                       tensor->name, tensor_shape_text(tensor->dims, tensor->n_dims, found),
                       tensor_shape_text(dims, n_dims, expected));
}
