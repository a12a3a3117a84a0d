/*
 * ONNX operators on whole arrays of numbers: what the stretch that builds sinc filters needs beyond
 * sums and products. Entries of the table in onnx_operator.c. Any thread.
 */
#ifndef VP_ONNX_ARITHMETIC_H
#define VP_ONNX_ARITHMETIC_H

#include "loader/onnx/onnx_step.h"

/* Abs, Cos, Neg, Sin: each value by itself. */
enum vp_status onnx_arithmetic_map(const struct onnx_step *step,
                                   struct onnx_array *out) VP_MUST_CHECK;
/* inputs: data, smallest, largest; either may be left out. */
enum vp_status onnx_arithmetic_clip(const struct onnx_step *step,
                                    struct onnx_array *out) VP_MUST_CHECK;
/* Of two matrices. */
enum vp_status onnx_arithmetic_matmul(const struct onnx_step *step,
                                      struct onnx_array *out) VP_MUST_CHECK;
/* ConstantOfShape: zeros, or the value of its attribute. */
enum vp_status onnx_arithmetic_fill(const struct onnx_step *step,
                                    struct onnx_array *out) VP_MUST_CHECK;
/* Equal: 1 where two arrays of one shape are the same, else 0. */
enum vp_status onnx_arithmetic_equal(const struct onnx_step *step,
                                     struct onnx_array *out) VP_MUST_CHECK;
/* Where: of three arrays of one shape; the second where the first is not 0, else the third. */
enum vp_status onnx_arithmetic_where(const struct onnx_step *step,
                                     struct onnx_array *out) VP_MUST_CHECK;
/* Slice along one axis, forwards or backwards one by one; inputs: data, starts, ends, axes, steps.
 */
enum vp_status onnx_arithmetic_slice(const struct onnx_step *step,
                                     struct onnx_array *out) VP_MUST_CHECK;

#endif
