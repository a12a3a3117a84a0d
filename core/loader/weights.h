/*
 * Tensors by their names in WeSpeaker's state dict -> struct net. BatchNorm is folded here.
 *
 * What is there decides depth and widths: blocks are counted by their names, channels read from
 * the shapes. Strides are not in such a file; WeSpeaker's own are taken (the first block of
 * layers 2, 3 and 4 halves). Any thread.
 */
#ifndef VP_WEIGHTS_H
#define VP_WEIGHTS_H

#include "loader/tensor.h"
#include "network/net.h"

/*
 * Fills net, whose n_mels is set. Each tensor the network needs is found once with its exact
 * shape; what is left over is refused by name, but for `*.num_batches_tracked` and `projection.*`
 * (the training head), which inference has no use for. Sets tensor.used. Borrows the tensors for
 * the call. VP_ERR_MODEL names the tensor. The caller frees net, also after an error.
 */
enum vp_status weights_bind(struct tensor *tensors, size_t n_tensors, struct net *net,
                            struct vp_err *err) VP_MUST_CHECK;

#endif
