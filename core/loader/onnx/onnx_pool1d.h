/* ONNX operators over windows of time: what the gates of a CAM++ need for their segments. Entries
 * of the table in onnx_operator.c. Any thread. */
#ifndef VP_ONNX_POOL1D_H
#define VP_ONNX_POOL1D_H

#include "loader/onnx/onnx_step.h"

/* AveragePool of [1, C, T] without padding; of a last window that is cut, the mean of what it has.
 */
enum vp_status onnx_pool1d_average(const struct onnx_step *step,
                                   struct onnx_array *out) VP_MUST_CHECK;
/* Pad by nothing on every side, which some exporters put before a pooling. */
enum vp_status onnx_pool1d_pad(const struct onnx_step *step, struct onnx_array *out) VP_MUST_CHECK;

#endif
