/* The operators around the convolutions, on numbers. */
#include "loader/onnx/onnx_operator.h"

#include "loader/onnx/onnx_arithmetic.h"
#include "loader/onnx/onnx_pool1d.h"

#include <math.h>
#include <string.h>

/* ---- axes --------------------------------------------------------------------------------- */

static bool normalize_axis(int64_t axis, size_t n_dims, size_t *out)
{
    int64_t n = (int64_t)n_dims;
    if (axis < -n || axis >= n)
        return false;
    *out = (size_t)(axis < 0 ? axis + n : axis);
    return true;
}

/* The axis attribute, within n_dims. */
static bool axis_attribute(const struct onnx_step *step, int64_t fallback, size_t n_dims,
                           size_t *out)
{
    int64_t axis;
    return onnx_attribute_int(step->node, "axis", fallback, &axis) &&
           normalize_axis(axis, n_dims, out);
}

/* Axes of a Reduce, Squeeze or Unsqueeze: attribute in older operator sets, input 1 in newer. */
static bool read_axes(const struct onnx_step *step, size_t n_dims, bool *is_listed,
                      size_t *n_listed)
{
    const struct onnx_attribute *attribute = onnx_attribute(step->node, "axes");
    const struct onnx_array *input = step->n_in > 1 ? step->in[1] : NULL;
    memset(is_listed, 0, TENSOR_MAX_DIMS * sizeof *is_listed);
    *n_listed = 0;
    if (attribute != NULL && (input != NULL || attribute->kind != ONNX_ATTRIBUTE_INTS))
        return false;
    size_t n = attribute != NULL ? attribute->n_values : input != NULL ? input->n_values : 0;
    for (size_t i = 0; i < n; i++) {
        int64_t value = attribute != NULL ? attribute->integers[i] : 0;
        size_t axis;
        if ((attribute == NULL && !onnx_array_int(input, i, &value)) ||
            !normalize_axis(value, n_dims, &axis) || is_listed[axis])
            return false;
        is_listed[axis] = true;
    }
    *n_listed = n;
    return true;
}

/* ---- shapes ------------------------------------------------------------------------------- */

/* The same values under another shape. */
static enum vp_status with_shape(const struct onnx_step *step, const size_t *dims, size_t n_dims,
                                 struct onnx_array *out)
{
    const struct onnx_array *a = step->in[0];
    enum vp_status status = onnx_array_new(step->pool, dims, n_dims, out);
    if (status != VP_OK || out->n_values != a->n_values)
        return status != VP_OK ? status : VP_ERR_MODEL;
    memcpy(out->data, a->data, a->n_values * sizeof *a->data);
    out->is_integer = a->is_integer;
    return VP_OK;
}

static enum vp_status eval_identity(const struct onnx_step *step, struct onnx_array *out)
{
    *out = *step->in[0];
    return VP_OK;
}

static enum vp_status eval_cast(const struct onnx_step *step, struct onnx_array *out)
{
    enum { FLOAT = 1, INT32 = 6, INT64 = 7, DOUBLE = 11 };
    int64_t to;
    const struct onnx_array *a = step->in[0];
    if (!onnx_attribute_int(step->node, "to", 0, &to) ||
        (to != FLOAT && to != DOUBLE && to != INT32 && to != INT64))
        return VP_ERR_MODEL;
    enum vp_status status = with_shape(step, a->dims, a->n_dims, out);
    if (status != VP_OK)
        return status;
    out->is_integer = to == INT32 || to == INT64;
    for (size_t i = 0; i < out->n_values && out->is_integer; i++)
        out->data[i] = trunc(out->data[i]);
    return VP_OK;
}

static enum vp_status eval_flatten(const struct onnx_step *step, struct onnx_array *out)
{
    const struct onnx_array *a = step->in[0];
    int64_t attribute;
    if (!onnx_attribute_int(step->node, "axis", 1, &attribute))
        return VP_ERR_MODEL;
    size_t axis = a->n_dims; /* all of them may go to the front */
    if (attribute != (int64_t)a->n_dims && !normalize_axis(attribute, a->n_dims, &axis))
        return VP_ERR_MODEL;
    size_t dims[2] = {1, 1};
    for (size_t i = 0; i < a->n_dims; i++)
        dims[i < axis ? 0 : 1] *= a->dims[i];
    return with_shape(step, dims, 2, out);
}

static enum vp_status eval_reshape(const struct onnx_step *step, struct onnx_array *out)
{
    const struct onnx_array *a = step->in[0], *shape = step->in[1];
    size_t dims[TENSOR_MAX_DIMS], known = 1, open = TENSOR_MAX_DIMS;
    int64_t allow_zero;
    if (shape == NULL || shape->n_dims != 1 || shape->n_values > TENSOR_MAX_DIMS ||
        !onnx_attribute_int(step->node, "allowzero", 0, &allow_zero))
        return VP_ERR_MODEL;
    for (size_t i = 0; i < shape->n_values; i++) {
        int64_t dim;
        if (!onnx_array_int(shape, i, &dim) || dim < -1 || (dim == -1 && open != TENSOR_MAX_DIMS))
            return VP_ERR_MODEL;
        if (dim == 0 && allow_zero == 0) {
            if (i >= a->n_dims)
                return VP_ERR_MODEL;
            dim = (int64_t)a->dims[i];
        }
        if (dim == -1)
            open = i;
        dims[i] = dim == -1 ? 1 : (size_t)dim;
        if (!size_multiply(known, dims[i], &known))
            return VP_ERR_MODEL;
    }
    if (open != TENSOR_MAX_DIMS) {
        if (known == 0 || a->n_values % known != 0)
            return VP_ERR_MODEL;
        dims[open] = a->n_values / known;
    }
    return with_shape(step, dims, shape->n_values, out);
}

static enum vp_status eval_squeeze(const struct onnx_step *step, struct onnx_array *out)
{
    const struct onnx_array *a = step->in[0];
    bool is_listed[TENSOR_MAX_DIMS];
    size_t dims[TENSOR_MAX_DIMS], n_dims = 0, n_listed;
    if (!read_axes(step, a->n_dims, is_listed, &n_listed))
        return VP_ERR_MODEL;
    for (size_t i = 0; i < a->n_dims; i++) {
        bool goes = n_listed > 0 ? is_listed[i] : a->dims[i] == 1;
        if (goes && a->dims[i] != 1)
            return VP_ERR_MODEL;
        if (!goes)
            dims[n_dims++] = a->dims[i];
    }
    return with_shape(step, dims, n_dims, out);
}

static enum vp_status eval_unsqueeze(const struct onnx_step *step, struct onnx_array *out)
{
    const struct onnx_array *a = step->in[0], *input = step->n_in > 1 ? step->in[1] : NULL;
    const struct onnx_attribute *attribute = onnx_attribute(step->node, "axes");
    size_t n_new = attribute != NULL ? attribute->n_values : input != NULL ? input->n_values : 0;
    bool is_new[TENSOR_MAX_DIMS];
    size_t dims[TENSOR_MAX_DIMS], n_listed;
    if (n_new == 0 || n_new > TENSOR_MAX_DIMS - a->n_dims ||
        !read_axes(step, a->n_dims + n_new, is_new, &n_listed))
        return VP_ERR_MODEL;
    for (size_t i = 0, from = 0; i < a->n_dims + n_new; i++)
        dims[i] = is_new[i] ? 1 : a->dims[from++];
    return with_shape(step, dims, a->n_dims + n_new, out);
}

static enum vp_status eval_transpose(const struct onnx_step *step, struct onnx_array *out)
{
    const struct onnx_array *a = step->in[0];
    const struct onnx_attribute *perm = onnx_attribute(step->node, "perm");
    size_t order[TENSOR_MAX_DIMS];
    bool is_taken[TENSOR_MAX_DIMS] = {false};
    if (perm != NULL && (perm->kind != ONNX_ATTRIBUTE_INTS || perm->n_values != a->n_dims))
        return VP_ERR_MODEL;
    for (size_t i = 0; i < a->n_dims; i++) {
        int64_t axis = perm != NULL ? perm->integers[i] : (int64_t)(a->n_dims - 1 - i);
        if (!normalize_axis(axis, a->n_dims, &order[i]) || is_taken[order[i]])
            return VP_ERR_MODEL;
        is_taken[order[i]] = true;
    }
    return onnx_array_transpose(step->pool, a, order, out);
}

static enum vp_status eval_concat(const struct onnx_step *step, struct onnx_array *out)
{
    size_t axis;
    if (onnx_attribute(step->node, "axis") == NULL ||
        !axis_attribute(step, 0, step->in[0]->n_dims, &axis))
        return VP_ERR_MODEL;
    for (size_t i = 0; i < step->n_in; i++)
        if (step->in[i] == NULL)
            return VP_ERR_MODEL;
    return onnx_array_concat(step->pool, step->in, step->n_in, axis, out);
}

static enum vp_status eval_expand(const struct onnx_step *step, struct onnx_array *out)
{
    const struct onnx_array *shape = step->in[1];
    size_t dims[TENSOR_MAX_DIMS];
    if (shape == NULL || shape->n_dims != 1 || shape->n_values > TENSOR_MAX_DIMS)
        return VP_ERR_MODEL;
    for (size_t i = 0; i < shape->n_values; i++) {
        int64_t dim;
        if (!onnx_array_int(shape, i, &dim) || dim < 1)
            return VP_ERR_MODEL;
        dims[i] = (size_t)dim;
    }
    struct onnx_array zeroes;
    enum vp_status status = onnx_array_new(step->pool, dims, shape->n_values, &zeroes);
    zeroes.is_integer = step->in[0]->is_integer;
    return status != VP_OK ? status
                           : onnx_array_binary(step->pool, ONNX_ADD, step->in[0], &zeroes, out);
}

/* ---- numbers ------------------------------------------------------------------------------ */

static enum vp_status eval_shape(const struct onnx_step *step, struct onnx_array *out)
{
    const struct onnx_array *a = step->in[0];
    int64_t n = (int64_t)a->n_dims, start, end;
    if (!onnx_attribute_int(step->node, "start", 0, &start) ||
        !onnx_attribute_int(step->node, "end", n, &end))
        return VP_ERR_MODEL;
    start = start < 0 ? start + n : start;
    end = end < 0 ? end + n : end > n ? n : end;
    if (start < 0 || start > end)
        return VP_ERR_MODEL;
    size_t n_listed = (size_t)(end - start);
    enum vp_status status = onnx_array_new(step->pool, &n_listed, 1, out);
    out->is_integer = true;
    for (size_t i = 0; i < n_listed && status == VP_OK; i++)
        out->data[i] = (double)a->dims[(size_t)start + i];
    return status;
}

static enum vp_status eval_size(const struct onnx_step *step, struct onnx_array *out)
{
    enum vp_status status = onnx_array_new(step->pool, NULL, 0, out);
    out->is_integer = true;
    if (status == VP_OK)
        out->data[0] = (double)step->in[0]->n_values;
    return status;
}

static enum vp_status eval_gather(const struct onnx_step *step, struct onnx_array *out)
{
    size_t axis;
    if (step->in[1] == NULL || !axis_attribute(step, 0, step->in[0]->n_dims, &axis))
        return VP_ERR_MODEL;
    return onnx_array_gather(step->pool, step->in[0], step->in[1], axis, out);
}

static enum vp_status eval_binary(const struct onnx_step *step, struct onnx_array *out)
{
    static const char *const names[] = {
        [ONNX_ADD] = "Add", [ONNX_SUB] = "Sub", [ONNX_MUL] = "Mul",
        [ONNX_DIV] = "Div", [ONNX_POW] = "Pow",
    };
    size_t op = 0;
    while (strcmp(names[op], step->node->op) != 0) /* the table below has no other name */
        op++;
    if (step->in[1] == NULL)
        return VP_ERR_MODEL;
    return onnx_array_binary(step->pool, (enum onnx_binary)op, step->in[0], step->in[1], out);
}

static enum vp_status eval_sqrt(const struct onnx_step *step, struct onnx_array *out)
{
    const struct onnx_array *a = step->in[0];
    enum vp_status status = with_shape(step, a->dims, a->n_dims, out);
    for (size_t i = 0; i < out->n_values && status == VP_OK; i++)
        out->data[i] = sqrt(out->data[i]);
    return status;
}

static enum vp_status eval_reduce(const struct onnx_step *step, struct onnx_array *out)
{
    static const char *const names[] = {
        [ONNX_MEAN] = "ReduceMean",
        [ONNX_SUM] = "ReduceSum",
        [ONNX_PROD] = "ReduceProd",
        [ONNX_SUM_SQUARE] = "ReduceSumSquare",
    };
    size_t op = 0, n_listed;
    while (strcmp(names[op], step->node->op) != 0)
        op++;
    const struct onnx_array *a = step->in[0];
    bool is_reduced[TENSOR_MAX_DIMS];
    int64_t keep_dims, noop;
    if (!read_axes(step, a->n_dims, is_reduced, &n_listed) ||
        !onnx_attribute_int(step->node, "keepdims", 1, &keep_dims) ||
        !onnx_attribute_int(step->node, "noop_with_empty_axes", 0, &noop))
        return VP_ERR_MODEL;
    for (size_t i = 0; i < a->n_dims && n_listed == 0 && noop == 0; i++)
        is_reduced[i] = true;
    return onnx_array_reduce(step->pool, (enum onnx_reduce)op, a, is_reduced, keep_dims != 0, out);
}

/* ---- by name ------------------------------------------------------------------------------ */

static const struct onnx_operator operators[] = {
    {"Abs", 1, 1, onnx_arithmetic_map},
    {"Add", 2, 2, eval_binary},
    {"AveragePool", 1, 1, onnx_pool1d_average},
    {"Cast", 1, 1, eval_cast},
    {"Clip", 1, 3, onnx_arithmetic_clip},
    {"Concat", 1, ONNX_MAX_INPUTS, eval_concat},
    {"ConstantOfShape", 1, 1, onnx_arithmetic_fill},
    {"Cos", 1, 1, onnx_arithmetic_map},
    {"Div", 2, 2, eval_binary},
    {"Equal", 2, 2, onnx_arithmetic_equal},
    {"Expand", 2, 2, eval_expand},
    {"Flatten", 1, 1, eval_flatten},
    {"Gather", 2, 2, eval_gather},
    {"Identity", 1, 1, eval_identity},
    {"MatMul", 2, 2, onnx_arithmetic_matmul},
    {"Mul", 2, 2, eval_binary},
    {"Neg", 1, 1, onnx_arithmetic_map},
    {"Pad", 2, 3, onnx_pool1d_pad},
    {"Pow", 2, 2, eval_binary},
    {"ReduceMean", 1, 2, eval_reduce},
    {"ReduceProd", 1, 2, eval_reduce},
    {"ReduceSum", 1, 2, eval_reduce},
    {"ReduceSumSquare", 1, 2, eval_reduce},
    {"Reshape", 2, 2, eval_reshape},
    {"Shape", 1, 1, eval_shape},
    {"Sin", 1, 1, onnx_arithmetic_map},
    {"Size", 1, 1, eval_size},
    {"Slice", 3, 5, onnx_arithmetic_slice},
    {"Sqrt", 1, 1, eval_sqrt},
    {"Squeeze", 1, 2, eval_squeeze},
    {"Sub", 2, 2, eval_binary},
    {"Transpose", 1, 1, eval_transpose},
    {"Unsqueeze", 1, 2, eval_unsqueeze},
    {"Where", 3, 3, onnx_arithmetic_where},
};

const struct onnx_operator *onnx_operator_find(const char *op)
{
    for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++)
        if (strcmp(operators[i].op, op) == 0)
            return &operators[i];
    return NULL;
}
