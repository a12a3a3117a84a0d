/*
 * Residual blocks of an ONNX graph, from the ReLU behind the last one back to the first
 * convolution: the whole of a ResNet's trunk, and most of a CAM++'s head. Any thread.
 */
#ifndef VP_ONNX_RESIDUAL_H
#define VP_ONNX_RESIDUAL_H

#include "loader/onnx/onnx_graph.h"
#include "network/net.h"

/* Walks back from value, which a ReLU gives: fills net->stem and net->stages from `first` on, each
 * stage but stage 0 beginning with a block that halves the rate. n_stages of them must be there.
 * *features: what the stem reads. VP_ERR_MODEL names the node. The caller frees net. */
enum vp_status onnx_residual_bind(const struct onnx_graph *graph, size_t value, bool first_halves,
                                  size_t n_stages, struct net *net, size_t *features,
                                  struct vp_err *err) VP_MUST_CHECK;

#endif
