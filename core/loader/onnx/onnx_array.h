/*
 * Small arrays in double, row-major, for evaluating the few operators of an ONNX graph that are
 * not the network proper. Integers are kept as doubles: shapes and axes are far below 2^53.
 *
 * Each function gives a new array whose data the pool owns. They return VP_ERR_MODEL when shapes or
 * axes do not fit, VP_ERR_NO_MEMORY; the caller knows the node and writes the sentence.
 */
#ifndef VP_ONNX_ARRAY_H
#define VP_ONNX_ARRAY_H

#include "base/pool.h"
#include "loader/tensor.h"

struct onnx_array {
    size_t n_dims, n_values;
    size_t dims[TENSOR_MAX_DIMS];
    double *data;    /* borrowed from a pool, [n_values] */
    bool is_integer; /* division rounds towards zero */
};

enum onnx_binary { ONNX_ADD, ONNX_SUB, ONNX_MUL, ONNX_DIV, ONNX_POW };
enum onnx_reduce { ONNX_MEAN, ONNX_SUM, ONNX_PROD, ONNX_SUM_SQUARE };

/* Zeroes. Refuses empty arrays, and more values than any probe of this network gives. */
enum vp_status onnx_array_new(struct pool *pool, const size_t *dims, size_t n_dims,
                              struct onnx_array *out) VP_MUST_CHECK;
enum vp_status onnx_array_of(struct pool *pool, const struct tensor *tensor,
                             struct onnx_array *out) VP_MUST_CHECK;

/* a op b, each broadcast to the other's shape as in NumPy. */
enum vp_status onnx_array_binary(struct pool *pool, enum onnx_binary op, const struct onnx_array *a,
                                 const struct onnx_array *b, struct onnx_array *out) VP_MUST_CHECK;

/* Over the axes marked in is_reduced [n_dims]; they stay as 1 when keep_dims. */
enum vp_status onnx_array_reduce(struct pool *pool, enum onnx_reduce op, const struct onnx_array *a,
                                 const bool *is_reduced, bool keep_dims,
                                 struct onnx_array *out) VP_MUST_CHECK;

/* Axis i of the result is axis order[i] of a; order is a permutation [n_dims]. */
enum vp_status onnx_array_transpose(struct pool *pool, const struct onnx_array *a,
                                    const size_t *order, struct onnx_array *out) VP_MUST_CHECK;

/* arrays [n] one behind the other along axis. */
enum vp_status onnx_array_concat(struct pool *pool, const struct onnx_array *const *arrays,
                                 size_t n, size_t axis, struct onnx_array *out) VP_MUST_CHECK;

/* a's slices at indices along axis; negative indices count from the end. */
enum vp_status onnx_array_gather(struct pool *pool, const struct onnx_array *a,
                                 const struct onnx_array *indices, size_t axis,
                                 struct onnx_array *out) VP_MUST_CHECK;

/* Value i as a whole number. False when it is none or out of range. */
bool onnx_array_int(const struct onnx_array *a, size_t i, int64_t *out) VP_MUST_CHECK;

#endif
