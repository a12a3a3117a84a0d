/*
 * An ONNX graph of a segmentation network, as torch exports pyannote's -> struct seg_net.
 *
 * Walked by its edges from the output to the input; names serve the error sentences only. Matched
 * node by node: convolutions, pools, norms, LSTMs, linear layers. Computed on probes and compared
 * with what it must be: the reshaping between them, the LSTMs' initial states, and the stretch that
 * builds the sinc filters from two vectors of frequencies. What this does not explain is refused by
 * name. Any thread.
 */
#ifndef VP_SEG_ONNX_H
#define VP_SEG_ONNX_H

#include "loader/onnx/onnx_graph.h"
#include "segmentation/seg_net.h"

/* Fills net, which starts as zeroes; the caller frees it, also after an error. VP_ERR_MODEL names
 * node or tensor. Marks nodes and tensors of the graph as used. */
enum vp_status seg_onnx_bind(struct onnx_graph *graph, struct seg_net *net,
                             struct vp_err *err) VP_MUST_CHECK;

#endif
