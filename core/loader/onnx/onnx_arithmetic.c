/* Operators on whole arrays of numbers. */
#include "loader/onnx/onnx_arithmetic.h"

#include "loader/onnx/onnx_tensor.h"

#include <math.h>
#include <string.h>

static double negative(double x)
{
    return -x;
}

enum vp_status onnx_arithmetic_map(const struct onnx_step *step, struct onnx_array *out)
{
    static const struct {
        const char *op;
        double (*function)(double);
    } functions[] = {{"Abs", fabs}, {"Cos", cos}, {"Neg", negative}, {"Sin", sin}};
    const struct onnx_array *a = step->in[0];
    size_t op = 0;
    while (strcmp(functions[op].op, step->node->op) != 0) /* the table has no other name */
        op++;
    const enum vp_status status = onnx_array_new(step->pool, a->dims, a->n_dims, out);
    out->is_integer = a->is_integer;
    for (size_t i = 0; i < out->n_values && status == VP_OK; i++)
        out->data[i] = functions[op].function(a->data[i]);
    return status;
}

enum vp_status onnx_arithmetic_clip(const struct onnx_step *step, struct onnx_array *out)
{
    const struct onnx_array *a = step->in[0];
    double bounds[2] = {-HUGE_VAL, HUGE_VAL};
    for (size_t i = 1; i < step->n_in; i++)
        if (step->in[i] != NULL) {
            if (step->in[i]->n_values != 1)
                return VP_ERR_MODEL;
            bounds[i - 1] = step->in[i]->data[0];
        }
    const enum vp_status status = onnx_array_new(step->pool, a->dims, a->n_dims, out);
    out->is_integer = a->is_integer;
    for (size_t i = 0; i < out->n_values && status == VP_OK; i++)
        out->data[i] = fmin(fmax(a->data[i], bounds[0]), bounds[1]);
    return status;
}

enum vp_status onnx_arithmetic_matmul(const struct onnx_step *step, struct onnx_array *out)
{
    const struct onnx_array *a = step->in[0], *b = step->in[1];
    if (b == NULL || a->n_dims != 2 || b->n_dims != 2 || a->dims[1] != b->dims[0])
        return VP_ERR_MODEL;
    const size_t dims[] = {a->dims[0], b->dims[1]};
    const enum vp_status status = onnx_array_new(step->pool, dims, 2, out);
    for (size_t i = 0; i < dims[0] && status == VP_OK; i++)
        for (size_t j = 0; j < dims[1]; j++)
            for (size_t k = 0; k < a->dims[1]; k++)
                out->data[i * dims[1] + j] +=
                    a->data[i * a->dims[1] + k] * b->data[k * dims[1] + j];
    return status;
}

enum vp_status onnx_arithmetic_fill(const struct onnx_step *step, struct onnx_array *out)
{
    const struct onnx_attribute *value = onnx_attribute(step->node, "value");
    const struct onnx_array *shape = step->in[0];
    struct onnx_array fill = {0};
    size_t dims[TENSOR_MAX_DIMS];
    enum vp_status status = VP_OK;
    if (shape->n_dims != 1 || shape->n_values > TENSOR_MAX_DIMS)
        return VP_ERR_MODEL;
    for (size_t i = 0; i < shape->n_values; i++) {
        int64_t n;
        if (!onnx_array_int(shape, i, &n) || n < 0)
            return VP_ERR_MODEL;
        dims[i] = (size_t)n;
    }
    if (value != NULL) {
        struct tensor tensor;
        if (value->kind != ONNX_ATTRIBUTE_TENSOR ||
            onnx_tensor_parse(value->tensor, "value", step->pool, &tensor, NULL) != VP_OK ||
            tensor.n_values != 1)
            return VP_ERR_MODEL;
        status = onnx_array_of(step->pool, &tensor, &fill);
    }
    if (status == VP_OK)
        status = onnx_array_new(step->pool, dims, shape->n_values, out);
    out->is_integer = fill.is_integer;
    for (size_t i = 0; fill.data != NULL && i < out->n_values && status == VP_OK; i++)
        out->data[i] = fill.data[0];
    return status;
}

/* One bound of a slice: exporters write the largest and smallest integers for "to the end", so it
 * is kept between low and high before it becomes an integer. */
static int64_t bound(double at, size_t n, int64_t low, int64_t high)
{
    if (at < 0)
        at += (double)n;
    return at < (double)low ? low : at > (double)high ? high : (int64_t)at;
}

enum vp_status onnx_arithmetic_slice(const struct onnx_step *step, struct onnx_array *out)
{
    const struct onnx_array *a = step->in[0];
    double numbers[4] = {0, 0, 0, 1}; /* start, end, axis, step */
    for (size_t i = 1; i < step->n_in; i++) {
        if (step->in[i] == NULL || step->in[i]->n_values != 1)
            return VP_ERR_MODEL;
        numbers[i - 1] = step->in[i]->data[0];
    }
    if (numbers[2] < 0)
        numbers[2] += (double)a->n_dims;
    if (!(numbers[2] >= 0 && numbers[2] < (double)a->n_dims) ||
        (numbers[3] != 1 && numbers[3] != -1))
        return VP_ERR_MODEL;
    const size_t axis = (size_t)numbers[2], n = a->dims[axis];
    const bool forwards = numbers[3] > 0;
    const int64_t last = (int64_t)n - 1, low = forwards ? 0 : -1, high = forwards ? last + 1 : last;
    const int64_t begin = bound(numbers[0], n, low, high), end = bound(numbers[1], n, low, high);
    const int64_t count = forwards ? end - begin : begin - end;
    size_t dims[TENSOR_MAX_DIMS], before = 1, behind = 1;
    memcpy(dims, a->dims, sizeof dims);
    if (count < 0)
        return VP_ERR_MODEL;
    dims[axis] = (size_t)count;
    for (size_t i = 0; i < a->n_dims; i++) {
        if (i < axis)
            before *= dims[i];
        if (i > axis)
            behind *= dims[i];
    }
    const enum vp_status status = onnx_array_new(step->pool, dims, a->n_dims, out);
    out->is_integer = a->is_integer;
    for (size_t i = 0; i < before && status == VP_OK; i++)
        for (int64_t k = 0; k < count; k++)
            memcpy(out->data + (i * dims[axis] + (size_t)k) * behind,
                   a->data + (i * n + (size_t)(forwards ? begin + k : begin - k)) * behind,
                   behind * sizeof *out->data);
    return status;
}

/* Have the first n inputs one shape? */
static bool are_alike(const struct onnx_step *step, size_t n)
{
    const struct onnx_array *a = step->in[0];
    for (size_t i = 1; i < n; i++)
        if (step->in[i] == NULL || step->in[i]->n_dims != a->n_dims ||
            memcmp(step->in[i]->dims, a->dims, a->n_dims * sizeof *a->dims) != 0)
            return false;
    return true;
}

enum vp_status onnx_arithmetic_equal(const struct onnx_step *step, struct onnx_array *out)
{
    const struct onnx_array *a = step->in[0];
    if (!are_alike(step, 2))
        return VP_ERR_MODEL;
    const enum vp_status status = onnx_array_new(step->pool, a->dims, a->n_dims, out);
    out->is_integer = true;
    for (size_t i = 0; i < out->n_values && status == VP_OK; i++)
        out->data[i] = a->data[i] == step->in[1]->data[i];
    return status;
}

enum vp_status onnx_arithmetic_where(const struct onnx_step *step, struct onnx_array *out)
{
    const struct onnx_array *a = step->in[0];
    if (!are_alike(step, 3))
        return VP_ERR_MODEL;
    const enum vp_status status = onnx_array_new(step->pool, a->dims, a->n_dims, out);
    out->is_integer = step->in[1]->is_integer && step->in[2]->is_integer;
    for (size_t i = 0; i < out->n_values && status == VP_OK; i++)
        out->data[i] = step->in[a->data[i] != 0.0 ? 1 : 2]->data[i];
    return status;
}
