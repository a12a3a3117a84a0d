/*
 * An ONNX graph of a WeSpeaker ResNet -> struct net.
 *
 * The graph is walked by its edges from the output back to the input, never by names or order:
 *   embs <- [- mean_vec] <- fully connected <- statistics <- blocks <- first convolution <- feats
 * Convolutions, sums and ReLUs are matched one by one; what is before the first convolution and
 * between the last ReLU and the fully connected layer is computed on probes and compared with
 * what it must be. Nodes and tensors that this does not explain are refused by name. Any thread.
 */
#ifndef VP_ONNX_BIND_H
#define VP_ONNX_BIND_H

#include "loader/onnx/onnx_graph.h"
#include "network/net.h"

/* Fills net, whose n_mels is set. The caller frees net, also after an error. VP_ERR_MODEL names the
 * node or tensor. Marks nodes and tensors of the graph as used. */
enum vp_status onnx_bind(struct onnx_graph *graph, struct net *net,
                         struct vp_err *err) VP_MUST_CHECK;

#endif
