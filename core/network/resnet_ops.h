/*
 * The packed network as its two halves see it: resnet.c makes it, resnet_state.c and
 * resnet_clip.c run it.
 *
 * The convolutions form one chain. Op i reads stream i and writes stream i + 1, and the last
 * convolution of a residual block also reads the block's input, through the shortcut where there
 * is one. Stream 0 is the features.
 */
#ifndef VP_RESNET_OPS_H
#define VP_RESNET_OPS_H

#include "base/arena.h"
#include "network/conv.h"

struct op {
    struct conv conv;
    size_t batch, gate; /* the most of any clip, see struct pace; on one thread */
    size_t n_calls;     /* that make a batch which threads share: two where a call has few tiles, of
                           which a part would be inefficient; the same within a stage */
    bool begins_stage;
    bool relu;
    size_t residual_reader; /* the op that adds the stream this one reads; n_ops when none does */
    bool has_residual;
    size_t residual;                           /* the stream that is added, when has_residual */
    bool has_shortcut;                         /* the residual goes through */
    struct conv shortcut;                      /* this convolution first */
    const char *stage;                         /* name of the stage that ends here, or NULL */
    const struct net_conv *net, *net_shortcut; /* borrowed until packed, then NULL */
};

struct resnet {
    const struct conv_kernel *kernel;
    struct frame_layout features;
    size_t n_ops;
    struct op *ops; /* owned */
    size_t dim, n_pooled;
    struct arena weights; /* of all convolutions and the last layer */
    float *fc_weight;     /* in weights, [dim, n_pooled] */
    float *fc_bias;       /* in weights, [dim], mean_vec subtracted */
};

#endif
