/*
 * What follows the 2-D convolutions of a CAM++ (arXiv 2303.00332), as a model file states it: plain
 * float32 weights. The 2-D convolutions themselves, its head, are the stem and the first stages of
 * struct net; the layer behind the statistics is that struct's fc_weight and fc_bias.
 *
 *   tdnn          5 taps, every second frame
 *   three blocks  of dense layers, each of which adds `growth` channels to those it was given, and
 *                 behind each block a transit that halves the channels
 *   a dense layer bottleneck(x) = 1x1, local = 3 taps, dilated; what local gives is multiplied by
 *                 a gate, computed from the mean of the bottleneck over the clip plus the mean over
 *                 its segment of CAMPPLUS_SEGMENT_FRAMES
 *
 * Every BatchNorm that stands before a ReLU and behind a convolution is folded into that. The one
 * before a convolution is kept as scale and shift: a ReLU stands between the two.
 */
#ifndef VP_CAMPPLUS_NET_H
#define VP_CAMPPLUS_NET_H

#include "base/status.h"

#define CAMPPLUS_N_BLOCKS       3u
#define CAMPPLUS_SEGMENT_FRAMES 100u /* behind tdnn: 2 s */
#define CAMPPLUS_TDNN_TAPS      5u
#define CAMPPLUS_LOCAL_TAPS     3u

struct net;

/* Over time; padded by zeros so that `stride` alone decides the length. */
struct net_conv1d {
    size_t n_in, n_out, n_taps, stride, dilation;
    float *weight;        /* owned, [n_out, n_in, n_taps] */
    float *bias;          /* owned, [n_out] */
    float *scale, *shift; /* owned, [n_in]: the input is ReLU(scale x + shift); NULL: x itself */
    bool relu;            /* of the output */
};

struct campplus_layer {
    struct net_conv1d bottleneck, local;
    /* gate = sigmoid(up ReLU(down context)): [n_hidden, n_bottleneck], [n_growth, n_hidden] */
    struct net_conv1d down, up;
};

struct campplus_block {
    size_t n_layers;
    struct campplus_layer *layers; /* owned */
    struct net_conv1d transit;
};

struct campplus_net {
    struct net_conv1d tdnn; /* from the head's frames, channel c * F + f */
    struct campplus_block blocks[CAMPPLUS_N_BLOCKS];
};

/* Dilation of the local convolutions of a block. */
size_t campplus_dilation(size_t block);

/* Memory for a convolution, everything zeroed; stride and dilation 1, no scale. On error *conv owns
 * nothing. */
enum vp_status net_conv1d_init(struct net_conv1d *conv, size_t n_out, size_t n_in, size_t n_taps,
                               struct vp_err *err) VP_MUST_CHECK;
/* Folds scale and shift [n_out], which stand behind conv, into its weight and bias. */
void net_conv1d_fold(struct net_conv1d *conv, const float *scale, const float *shift);
/* Numbers kept for inference. */
size_t campplus_net_parameters(const struct campplus_net *campplus);

/* Do the shapes agree from the head's n_rows channels on, and are all weights present and finite?
 * *n_channels: of the frames that the statistics are of. VP_ERR_MODEL names the layer. */
enum vp_status campplus_net_check(const struct campplus_net *campplus, size_t n_rows,
                                  size_t *n_channels, struct vp_err *err) VP_MUST_CHECK;

void campplus_net_free(struct campplus_net *campplus); /* takes; NULL is legal */

#endif
