/*
 * Tensors of a state dict, taken by name: found once with their exact shape, or refused by name.
 * What weights (ResNet) and campplus_weights (CAM++) have in common. Any thread.
 */
#ifndef VP_TAKE_H
#define VP_TAKE_H

#include "loader/tensor_set.h"
#include "network/net.h"

#define TAKE_NAME_CHARS 96
#define TAKE_NORM_EPS   1e-5 /* torch.nn.BatchNorm's default, which WeSpeaker and 3D-Speaker keep */

/* Is there a tensor prefix + suffix? */
bool take_has(const struct tensor_set *set, const char *prefix, const char *suffix);

/* The tensor prefix + suffix; its shape is the caller's to check. */
enum vp_status take_tensor(const struct tensor_set *set, const char *prefix, const char *suffix,
                           struct tensor **out) VP_MUST_CHECK;

/* A tensor [n] as owned floats; *out may be set on error too. */
enum vp_status take_vector(const struct tensor_set *set, const char *prefix, const char *suffix,
                           size_t n, float **out) VP_MUST_CHECK;

/* What a convolution must be. n_out 0: the file decides. */
struct take_shape {
    size_t n_in, n_out, kernel, stride;
};

/* The convolution conv_name and the BatchNorm norm_name behind it. */
enum vp_status take_conv(const struct tensor_set *set, const char *conv_name, const char *norm_name,
                         const struct take_shape *shape, struct net_conv *out) VP_MUST_CHECK;

/* A residual block. prefix: "layer2.0". n_out: of the whole block, 0 when this is the first of its
 * stage. */
enum vp_status take_block(const struct tensor_set *set, const char *prefix, size_t n_in,
                          size_t n_out, size_t stride, struct net_block *block) VP_MUST_CHECK;

/* Refuses by name what nobody has taken, but for `*.num_batches_tracked` and `projection.*` (the
 * training head), which inference has no use for. */
enum vp_status take_check_all_used(const struct tensor_set *set) VP_MUST_CHECK;

#endif
