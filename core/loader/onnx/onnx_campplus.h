/*
 * An ONNX graph of a CAM++ -> struct net, as WeSpeaker, 3D-Speaker and sherpa-onnx export it.
 *
 * Walked by its edges from the output back to the input, as a ResNet (onnx_bind):
 *   embs <- [- mean_vec] <- norm and last convolution <- statistics <- ReLU <- three blocks, each
 *   with a transit behind it <- tdnn <- rows <- head <- feats
 * Convolutions, gates, sums and ReLUs are matched one by one. What a gate hears, the statistics,
 * and how head and features are laid out, is computed on probes and compared with what it must be.
 * Any thread.
 */
#ifndef VP_ONNX_CAMPPLUS_H
#define VP_ONNX_CAMPPLUS_H

#include "loader/onnx/onnx_graph.h"
#include "network/net.h"

/* Is it one? A ResNet has no sigmoid. */
bool onnx_campplus_is(const struct onnx_graph *graph);

/* As onnx_bind. */
enum vp_status onnx_campplus_bind(struct onnx_graph *graph, struct net *net,
                                  struct vp_err *err) VP_MUST_CHECK;

#endif
