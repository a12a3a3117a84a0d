/*
 * Tensors by their names in 3D-Speaker's and WeSpeaker's state dict of a CAM++ -> struct net.
 * BatchNorm is folded here where a convolution stands before it.
 *
 * Depth and widths are the file's; strides and dilations are not in such a file, 3D-Speaker's own
 * are taken. Any thread.
 */
#ifndef VP_CAMPPLUS_WEIGHTS_H
#define VP_CAMPPLUS_WEIGHTS_H

#include "loader/tensor.h"
#include "network/net.h"

/* Is it the state dict of a CAM++? */
bool campplus_weights_are(const struct tensor *tensors, size_t n_tensors);

/* As weights_bind (loader/weights.h). */
enum vp_status campplus_weights_bind(struct tensor *tensors, size_t n_tensors, struct net *net,
                                     struct vp_err *err) VP_MUST_CHECK;

#endif
