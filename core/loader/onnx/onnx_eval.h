/*
 * Runs a stretch of an ONNX graph on a probe: what lies before the first convolution and between
 * the last one and the final layer. Exporters spell the statistics in many ways; computing them on
 * numbers and comparing is how a spelling is explained. Any thread; the graph has one owner.
 */
#ifndef VP_ONNX_EVAL_H
#define VP_ONNX_EVAL_H

#include "loader/onnx/onnx_array.h"
#include "loader/onnx/onnx_graph.h"

/* A value that is given instead of computed, and what stands for it. */
struct onnx_given {
    size_t value;
    struct onnx_array array;
};

/*
 * Computes value `target` from the n_given values, and nothing before them. Marks the nodes and
 * tensors that took part as used. *out lies in pool. VP_ERR_MODEL names the node that cannot be
 * computed.
 */
enum vp_status onnx_eval(const struct onnx_graph *graph, const struct onnx_given *given,
                         size_t n_given, size_t target, struct pool *pool, struct onnx_array *out,
                         struct vp_err *err) VP_MUST_CHECK;

#endif
