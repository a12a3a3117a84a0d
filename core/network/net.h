/*
 * The network as a model file states it: plain float32 weights, BatchNorm folded into each
 * convolution, every tensor checked for presence, exact shape and finite values. What a loader
 * (onnx, safetensors) produces and what resnet packs for its kernels; freed after that.
 *
 * ResNet of BasicBlocks (two 3x3) or Bottlenecks (1x1, 3x3, 1x1), or CAM++, whose head of 2-D
 * convolutions is a short ResNet that keeps every frame. Any number of blocks and channels; the
 * shapes agree with one another, which net_check asserts for every loader.
 */
#ifndef VP_NET_H
#define VP_NET_H

#include "features/front_end.h"
#include "network/campplus_net.h"
#include "network/net_weights.h"

struct net_conv {
    size_t n_in, n_out;
    size_t kernel;      /* 3 (padding 1) or 1 (padding 0) */
    size_t stride;      /* in frequency: 1 or 2 */
    size_t time_stride; /* the same, or 1: the head of CAM++ keeps every frame */
    float *weight;      /* owned, [n_out, n_in, kernel (frequency), kernel (time)] */
    float *bias;        /* owned, [n_out] */
};

struct net_block {
    size_t n_convs;           /* 2: BasicBlock, 3: Bottleneck, 1: a convolution, nothing added */
    struct net_conv convs[3]; /* ReLU after each but the last, which adds the shortcut first */
    bool has_shortcut;        /* false: the input itself is added */
    struct net_conv shortcut; /* 1x1, the stride of the block, no ReLU */
};

struct net_stage {
    size_t n_blocks;
    struct net_block *blocks; /* owned */
};

struct net {
    size_t n_mels;        /* 80 */
    size_t dim;           /* embedding length */
    struct net_conv stem; /* 1 -> C, 3x3 stride 1, ReLU */
    /* Of a CAM++: two of BasicBlocks that halve frequency, one of a last convolution that does. */
    struct net_stage stages[VP_MAX_STAGES];
    struct campplus_net *campplus; /* owned: what follows the stages in CAM++; NULL: a ResNet */
    /* statistics [2 * rows] (all means, then all stds; row c * F + f of a ResNet, channel of CAM++)
     * -> embedding */
    float *fc_weight; /* owned, [dim, 2 * rows] */
    float *fc_bias;   /* owned, [dim] */
    float *mean_vec;  /* owned, [dim], subtracted from the embedding; NULL when the file has none */

    /* metadata; strings owned, NULL where the file is silent */
    char *name;
    char *license, *origin;   /* terms of the weights, and whose they are */
    enum front_end front_end; /* of the features it was trained on */
    bool untrained;
    bool has_threshold, has_calibration, has_diarize_threshold;
    double threshold, slope, offset, diarize_threshold;
    float *self_test; /* owned, [dim], unit norm: the built-in signal's embedding; or NULL */
};

/* BatchNorm in eval mode, each [n_out] of the convolution before it. All borrowed. */
struct net_norm {
    const float *weight, *bias, *mean, *variance;
    double eps;
};

/* Memory for a convolution, weight and bias zeroed; stride is that of both dimensions. On error
 * conv owns nothing. */
enum vp_status net_conv_init(struct net_conv *conv, size_t n_out, size_t n_in, size_t kernel,
                             size_t stride, struct vp_err *err) VP_MUST_CHECK;
/* Numbers in conv->weight. Never overflows once net_conv_init succeeded. */
size_t net_conv_n_weights(const struct net_conv *conv);
/* Folds the norm into weight and bias, in double. VP_ERR_MODEL, with name in the sentence, when a
 * variance is negative. */
enum vp_status net_conv_fold(struct net_conv *conv, const struct net_norm *norm, const char *name,
                             struct vp_err *err) VP_MUST_CHECK;
/* BatchNorm [n] as y = scale x + shift, each [n]. VP_ERR_MODEL, with name in the sentence, when a
 * variance is negative. */
enum vp_status net_norm_scale(const struct net_norm *norm, size_t n, const char *name, float *scale,
                              float *shift, struct vp_err *err) VP_MUST_CHECK;
/* Room for one more block at the end of a stage, zeroed; NULL when there is no memory. Borrowed
 * from the stage until the next call. */
struct net_block *net_stage_add(struct net_stage *stage);
void net_block_clear(struct net_block *block); /* frees what is inside, not the block */

/* Frequency rows of a stage's output, stage 0..3, from n_mels: 80 -> 80 40 20 10. */
size_t net_stage_n_freq(const struct net *net, size_t stage);
/* The same of CAM++'s three stages: 80 -> 40 20 10. */
size_t net_head_n_freq(const struct net *net, size_t stage);

/* Do all shapes agree and are all weights present and finite? VP_ERR_MODEL names the layer. */
enum vp_status net_check(const struct net *net, struct vp_err *err) VP_MUST_CHECK;

/* Frees everything inside and the struct. Takes; NULL is legal. */
void net_free(struct net *net);

#endif
