/* Small arrays in double. */
#include "loader/onnx/onnx_array.h"

#include <math.h>
#include <string.h>

#define MAX_VALUES ((size_t)1 << 18) /* the probe of ResNet293 has 82,000 */

enum vp_status onnx_array_new(struct pool *pool, const size_t *dims, size_t n_dims,
                              struct onnx_array *out)
{
    *out = (struct onnx_array){.n_dims = n_dims};
    if (n_dims > TENSOR_MAX_DIMS || !size_product(dims, n_dims, &out->n_values) ||
        out->n_values == 0 || out->n_values > MAX_VALUES)
        return VP_ERR_MODEL;
    if (n_dims > 0)
        memcpy(out->dims, dims, n_dims * sizeof *dims);
    out->data = pool_alloc(pool, out->n_values, sizeof *out->data);
    return out->data != NULL ? VP_OK : VP_ERR_NO_MEMORY;
}

enum vp_status onnx_array_of(struct pool *pool, const struct tensor *tensor, struct onnx_array *out)
{
    enum vp_status status = onnx_array_new(pool, tensor->dims, tensor->n_dims, out);
    if (status != VP_OK)
        return status;
    out->is_integer = tensor->type == TENSOR_I64 || tensor->type == TENSOR_I32;
    size_t n_bytes = tensor_type_bytes(tensor->type);
    for (size_t i = 0; i < tensor->n_values; i++) {
        union {
            float f32;
            double f64;
            int64_t i64;
            int32_t i32;
            unsigned char boolean;
        } value;
        memcpy(&value, tensor->data + i * n_bytes, n_bytes);
        out->data[i] = tensor->type == TENSOR_F32   ? (double)value.f32
                       : tensor->type == TENSOR_F64 ? value.f64
                       : tensor->type == TENSOR_I64 ? (double)value.i64
                       : tensor->type == TENSOR_I32 ? (double)value.i32
                                                    : (double)value.boolean;
    }
    return VP_OK;
}

/* Steps of a in the flat order of a result of n_dims, 0 along axes that are broadcast. */
static void broadcast_strides(const struct onnx_array *a, size_t n_dims, size_t *strides)
{
    size_t stride = 1;
    for (size_t i = n_dims; i-- > 0;) {
        size_t behind = n_dims - 1 - i; /* axes are aligned at the last */
        size_t dim = behind < a->n_dims ? a->dims[a->n_dims - 1 - behind] : 1;
        strides[i] = dim == 1 ? 0 : stride;
        stride *= dim;
    }
}

/* Advances index over dims like an odometer, and the offset that follows it by strides. */
static void advance(size_t *index, const size_t *dims, size_t n_dims, const size_t *strides,
                    size_t *offset)
{
    for (size_t i = n_dims; i-- > 0;) {
        *offset += strides[i];
        if (++index[i] < dims[i])
            return;
        *offset -= strides[i] * dims[i];
        index[i] = 0;
    }
}

static double apply(enum onnx_binary op, double a, double b, bool is_integer)
{
    switch (op) {
    case ONNX_ADD:
        return a + b;
    case ONNX_SUB:
        return a - b;
    case ONNX_MUL:
        return a * b;
    case ONNX_DIV:
        return is_integer ? trunc(a / b) : a / b;
    case ONNX_POW:
        return pow(a, b);
    }
    return (double)NAN;
}

enum vp_status onnx_array_binary(struct pool *pool, enum onnx_binary op, const struct onnx_array *a,
                                 const struct onnx_array *b, struct onnx_array *out)
{
    size_t n_dims = a->n_dims > b->n_dims ? a->n_dims : b->n_dims;
    size_t dims[TENSOR_MAX_DIMS];
    for (size_t i = 0; i < n_dims; i++) {
        size_t behind = n_dims - 1 - i;
        size_t from_a = behind < a->n_dims ? a->dims[a->n_dims - 1 - behind] : 1;
        size_t from_b = behind < b->n_dims ? b->dims[b->n_dims - 1 - behind] : 1;
        if (from_a != from_b && from_a != 1 && from_b != 1)
            return VP_ERR_MODEL;
        dims[i] = from_a == 1 ? from_b : from_a;
    }
    enum vp_status status = onnx_array_new(pool, dims, n_dims, out);
    if (status != VP_OK)
        return status;
    out->is_integer = a->is_integer && b->is_integer;
    size_t strides_a[TENSOR_MAX_DIMS], strides_b[TENSOR_MAX_DIMS];
    size_t index_a[TENSOR_MAX_DIMS] = {0}, index_b[TENSOR_MAX_DIMS] = {0};
    broadcast_strides(a, n_dims, strides_a);
    broadcast_strides(b, n_dims, strides_b);
    for (size_t i = 0, at_a = 0, at_b = 0; i < out->n_values; i++) {
        out->data[i] = apply(op, a->data[at_a], b->data[at_b], out->is_integer);
        advance(index_a, dims, n_dims, strides_a, &at_a);
        advance(index_b, dims, n_dims, strides_b, &at_b);
    }
    return VP_OK;
}

enum vp_status onnx_array_reduce(struct pool *pool, enum onnx_reduce op, const struct onnx_array *a,
                                 const bool *is_reduced, bool keep_dims, struct onnx_array *out)
{
    size_t kept[TENSOR_MAX_DIMS], squeezed[TENSOR_MAX_DIMS], n_squeezed = 0;
    for (size_t i = 0; i < a->n_dims; i++) {
        kept[i] = is_reduced[i] ? 1 : a->dims[i];
        if (!is_reduced[i])
            squeezed[n_squeezed++] = a->dims[i];
    }
    enum vp_status status = onnx_array_new(pool, kept, a->n_dims, out);
    if (status != VP_OK)
        return status;
    out->is_integer = a->is_integer;
    size_t strides[TENSOR_MAX_DIMS], index[TENSOR_MAX_DIMS] = {0};
    broadcast_strides(out, a->n_dims, strides);
    for (size_t i = 0; i < out->n_values; i++)
        out->data[i] = op == ONNX_PROD ? 1.0 : 0.0;
    for (size_t i = 0, at = 0; i < a->n_values; i++) {
        if (op == ONNX_PROD)
            out->data[at] *= a->data[i];
        else
            out->data[at] += op == ONNX_SUM_SQUARE ? a->data[i] * a->data[i] : a->data[i];
        advance(index, a->dims, a->n_dims, strides, &at);
    }
    for (size_t i = 0; i < out->n_values && op == ONNX_MEAN; i++)
        out->data[i] /= (double)a->n_values / (double)out->n_values;
    if (!keep_dims) {
        memcpy(out->dims, squeezed, n_squeezed * sizeof *squeezed);
        out->n_dims = n_squeezed;
    }
    return VP_OK;
}

enum vp_status onnx_array_transpose(struct pool *pool, const struct onnx_array *a,
                                    const size_t *order, struct onnx_array *out)
{
    size_t dims[TENSOR_MAX_DIMS], from[TENSOR_MAX_DIMS], strides[TENSOR_MAX_DIMS];
    size_t index[TENSOR_MAX_DIMS] = {0}, stride = 1;
    for (size_t i = a->n_dims; i-- > 0;) {
        from[i] = stride;
        stride *= a->dims[i];
    }
    for (size_t i = 0; i < a->n_dims; i++) {
        dims[i] = a->dims[order[i]];
        strides[i] = from[order[i]];
    }
    enum vp_status status = onnx_array_new(pool, dims, a->n_dims, out);
    if (status != VP_OK)
        return status;
    out->is_integer = a->is_integer;
    for (size_t i = 0, at = 0; i < out->n_values; i++) {
        out->data[i] = a->data[at];
        advance(index, dims, a->n_dims, strides, &at);
    }
    return VP_OK;
}

/* Products of the dimensions before and behind axis. */
static void around(const struct onnx_array *a, size_t axis, size_t *before, size_t *behind)
{
    *before = *behind = 1;
    for (size_t i = 0; i < a->n_dims; i++) {
        if (i < axis)
            *before *= a->dims[i];
        if (i > axis)
            *behind *= a->dims[i];
    }
}

enum vp_status onnx_array_concat(struct pool *pool, const struct onnx_array *const *arrays,
                                 size_t n, size_t axis, struct onnx_array *out)
{
    size_t dims[TENSOR_MAX_DIMS], n_dims = arrays[0]->n_dims;
    memcpy(dims, arrays[0]->dims, sizeof dims);
    for (size_t k = 1; k < n; k++) {
        for (size_t i = 0; i < n_dims && arrays[k]->n_dims == n_dims; i++)
            if (i != axis && arrays[k]->dims[i] != dims[i])
                return VP_ERR_MODEL;
        if (arrays[k]->n_dims != n_dims ||
            !size_add(dims[axis], arrays[k]->dims[axis], &dims[axis]))
            return VP_ERR_MODEL;
    }
    enum vp_status status = onnx_array_new(pool, dims, n_dims, out);
    if (status != VP_OK)
        return status;
    out->is_integer = arrays[0]->is_integer;
    size_t before, behind, done = 0;
    around(out, axis, &before, &behind);
    for (size_t k = 0; k < n; k++) {
        size_t run = arrays[k]->dims[axis] * behind;
        for (size_t i = 0; i < before && run > 0; i++)
            memcpy(out->data + i * dims[axis] * behind + done, arrays[k]->data + i * run,
                   run * sizeof *out->data);
        done += run;
    }
    return VP_OK;
}

enum vp_status onnx_array_gather(struct pool *pool, const struct onnx_array *a,
                                 const struct onnx_array *indices, size_t axis,
                                 struct onnx_array *out)
{
    size_t dims[2 * TENSOR_MAX_DIMS], n_dims = 0, before, behind;
    for (size_t i = 0; i < axis; i++)
        dims[n_dims++] = a->dims[i];
    for (size_t i = 0; i < indices->n_dims; i++)
        dims[n_dims++] = indices->dims[i];
    for (size_t i = axis + 1; i < a->n_dims; i++)
        dims[n_dims++] = a->dims[i];
    enum vp_status status = onnx_array_new(pool, dims, n_dims, out);
    if (status != VP_OK)
        return status;
    out->is_integer = a->is_integer;
    around(a, axis, &before, &behind);
    int64_t n_along = (int64_t)a->dims[axis];
    for (size_t i = 0; i < before; i++)
        for (size_t k = 0; k < indices->n_values; k++) {
            int64_t at = 0;
            if (!onnx_array_int(indices, k, &at) || at < -n_along || at >= n_along)
                return VP_ERR_MODEL;
            size_t row = (size_t)(at < 0 ? at + n_along : at);
            if (behind > 0)
                memcpy(out->data + (i * indices->n_values + k) * behind,
                       a->data + (i * a->dims[axis] + row) * behind, behind * sizeof *out->data);
        }
    return VP_OK;
}

bool onnx_array_int(const struct onnx_array *a, size_t i, int64_t *out)
{
    double value = a->data[i];
    if (!(fabs(value) <= 9007199254740992.0) || value != trunc(value)) /* 2^53 */
        return false;
    *out = (int64_t)value;
    return true;
}
