/*
 * The end of an ONNX graph, behind the statistics: the fully connected layer (Gemm, or MatMul and
 * Add) and the mean vector that may be subtracted. Found first, because the walk begins at the
 * output; read once the blocks have said how many statistics there are. Any thread.
 */
#ifndef VP_ONNX_HEAD_H
#define VP_ONNX_HEAD_H

#include "loader/onnx/onnx_graph.h"
#include "network/net.h"

/* Constants of the graph, borrowed. */
struct onnx_head {
    const struct tensor *matrix; /* [dim, rows], or [rows, dim] when is_transposed */
    bool is_transposed;
    const struct tensor *bias;     /* [dim] */
    const struct tensor *mean_vec; /* [dim], or NULL */
    size_t pooled;                 /* the value of the statistics */
};

/* The mean vector that is subtracted from what gives *value, or NULL; *value becomes what it is
 * subtracted from, which is *value itself where there is none. */
enum vp_status onnx_head_mean(const struct onnx_graph *graph, size_t *value,
                              const struct tensor **mean_vec, struct vp_err *err) VP_MUST_CHECK;

/* A tensor [dim], or [1, dim], for a batch of one is no matter, as owned floats. */
enum vp_status onnx_head_vector(const struct tensor *tensor, size_t dim, float **out,
                                struct vp_err *err) VP_MUST_CHECK;

/* Walks from the graph's output to the statistics. VP_ERR_MODEL names the node. */
enum vp_status onnx_head_find(const struct onnx_graph *graph, struct onnx_head *head,
                              struct vp_err *err) VP_MUST_CHECK;

/* Fills dim, fc_weight, fc_bias and mean_vec of net, whose stages are there. VP_ERR_MODEL names a
 * tensor of another shape. The caller frees net, also after an error. */
enum vp_status onnx_head_read(const struct onnx_head *head, struct net *net,
                              struct vp_err *err) VP_MUST_CHECK;

#endif
