/* 3D-Speaker's tensor names -> struct net. */
#include "loader/campplus_weights.h"

#include "loader/take.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TDNN "xvector.tdnn"

bool campplus_weights_are(const struct tensor *tensors, size_t n_tensors)
{
    for (size_t i = 0; i < n_tensors; i++)
        if (strcmp(tensors[i].name, TDNN ".linear.weight") == 0)
            return true;
    return false;
}

/* ---- BatchNorm ----------------------------------------------------------------------------------
 */

/* y = scale x + shift, both owned, [n]. A BatchNorm without weight and bias has 1 and 0. */
static enum vp_status take_norm(const struct tensor_set *set, const char *prefix, size_t n,
                                float **scale, float **shift)
{
    float *mean = NULL, *variance = NULL;
    char name[TAKE_NAME_CHARS];
    const bool affine = take_has(set, prefix, ".weight");
    *scale = *shift = NULL;
    enum vp_status status = take_vector(set, prefix, ".running_mean", n, &mean);
    if (status == VP_OK)
        status = take_vector(set, prefix, ".running_var", n, &variance);
    if (status == VP_OK && affine)
        status = take_vector(set, prefix, ".weight", n, scale);
    if (status == VP_OK && affine)
        status = take_vector(set, prefix, ".bias", n, shift);
    if (status == VP_OK && !affine) {
        *scale = malloc(n * sizeof **scale);
        *shift = calloc(n, sizeof **shift);
        if (*scale == NULL || *shift == NULL)
            status = status_no_memory(set->err, "weights", n * sizeof **scale);
        for (size_t i = 0; i < n && status == VP_OK; i++)
            (*scale)[i] = 1.0F;
    }
    const struct net_norm norm = {*scale, *shift, mean, variance, TAKE_NORM_EPS};
    snprintf(name, sizeof name, "%.60s.running_var", prefix);
    if (status == VP_OK)
        status = net_norm_scale(&norm, n, name, *scale, *shift, set->err);
    free(mean);
    free(variance);
    if (status != VP_OK) {
        free(*scale);
        free(*shift);
        *scale = *shift = NULL;
    }
    return status;
}

/* The norm behind conv, into its weight and bias. */
static enum vp_status fold_norm(const struct tensor_set *set, const char *prefix,
                                struct net_conv1d *conv)
{
    float *scale, *shift;
    const enum vp_status status = take_norm(set, prefix, conv->n_out, &scale, &shift);
    if (status == VP_OK)
        net_conv1d_fold(conv, scale, shift);
    free(scale);
    free(shift);
    return status;
}

/* ---- convolutions -------------------------------------------------------------------------------
 */

/* prefix + ".weight" [n_out, n_in, n_taps], and ".bias" where it must have one. n_out 0: the file
 * decides. */
static enum vp_status take_conv1d(const struct tensor_set *set, const char *prefix, size_t n_in,
                                  size_t n_out, size_t n_taps, bool has_bias,
                                  struct net_conv1d *out)
{
    struct tensor *weight = NULL;
    enum vp_status status = take_tensor(set, prefix, ".weight", &weight);
    if (status != VP_OK)
        return status;
    const size_t shape[] = {n_out != 0 ? n_out : weight->dims[0], n_in, n_taps};
    status = tensor_check_shape(weight, shape, 3, set->err);
    if (status == VP_OK && (shape[0] == 0 || shape[0] > NET_MAX_CHANNELS))
        status = status_fail(set->err, VP_ERR_MODEL, "tensor '%s' has %zu output channels",
                             weight->name, shape[0]);
    if (status == VP_OK)
        status = net_conv1d_init(out, shape[0], n_in, n_taps, set->err);
    if (status == VP_OK)
        status = tensor_read_floats(weight, out->weight, set->err);
    if (status == VP_OK && has_bias) {
        free(out->bias);
        out->bias = NULL;
        status = take_vector(set, prefix, ".bias", out->n_out, &out->bias);
    }
    return status;
}

/* ReLU and the norm called norm stand before conv. */
static enum vp_status take_scale(const struct tensor_set *set, const char *norm,
                                 struct net_conv1d *conv)
{
    return take_norm(set, norm, conv->n_in, &conv->scale, &conv->shift);
}

/* ReLU and the norm called norm stand behind conv. */
static enum vp_status take_folded(const struct tensor_set *set, const char *norm,
                                  struct net_conv1d *conv)
{
    conv->relu = true;
    return fold_norm(set, norm, conv);
}

/* prefix: "xvector.block1.tdnnd1". n_growth 0: the file decides. */
static enum vp_status take_layer(const struct tensor_set *set, const char *prefix, size_t n_in,
                                 size_t n_growth, size_t dilation, struct campplus_layer *layer)
{
    char name[TAKE_NAME_CHARS];
    snprintf(name, sizeof name, "%.50s.linear1", prefix);
    enum vp_status status = take_conv1d(set, name, n_in, 0, 1, false, &layer->bottleneck);
    const size_t n = layer->bottleneck.n_out;
    snprintf(name, sizeof name, "%.50s.nonlinear1.batchnorm", prefix);
    if (status == VP_OK)
        status = take_scale(set, name, &layer->bottleneck);
    snprintf(name, sizeof name, "%.50s.nonlinear2.batchnorm", prefix);
    if (status == VP_OK)
        status = take_folded(set, name, &layer->bottleneck);
    snprintf(name, sizeof name, "%.50s.cam_layer.linear_local", prefix);
    if (status == VP_OK)
        status = take_conv1d(set, name, n, n_growth, CAMPPLUS_LOCAL_TAPS, false, &layer->local);
    layer->local.dilation = dilation;
    snprintf(name, sizeof name, "%.50s.cam_layer.linear1", prefix);
    if (status == VP_OK)
        status = take_conv1d(set, name, n, 0, 1, true, &layer->down);
    snprintf(name, sizeof name, "%.50s.cam_layer.linear2", prefix);
    if (status == VP_OK)
        status = take_conv1d(set, name, layer->down.n_out, layer->local.n_out, 1, true, &layer->up);
    return status;
}

/* Block b, and the transit behind it. *n_channels: into the block, and out of the transit. */
static enum vp_status take_dense_block(const struct tensor_set *set, size_t b, size_t *n_channels,
                                       size_t *n_growth, struct campplus_block *block)
{
    char prefix[TAKE_NAME_CHARS];
    enum vp_status status = VP_OK;
    for (size_t i = 0; status == VP_OK; i++) {
        snprintf(prefix, sizeof prefix, "xvector.block%zu.tdnnd%zu", b + 1, i + 1);
        if (i > 0 && !take_has(set, prefix, ".linear1.weight"))
            break;
        struct campplus_layer *layers =
            realloc(block->layers, (block->n_layers + 1) * sizeof *layers);
        if (layers == NULL)
            return status_no_memory(set->err, "a layer", sizeof *layers);
        block->layers = layers;
        layers[block->n_layers++] = (struct campplus_layer){0};
        status = take_layer(set, prefix, *n_channels, *n_growth, campplus_dilation(b), &layers[i]);
        *n_growth = layers[i].local.n_out;
        *n_channels += *n_growth;
    }
    snprintf(prefix, sizeof prefix, "xvector.transit%zu.linear", b + 1);
    if (status == VP_OK)
        status = take_conv1d(set, prefix, *n_channels, 0, 1, false, &block->transit);
    snprintf(prefix, sizeof prefix, "xvector.transit%zu.nonlinear.batchnorm", b + 1);
    if (status == VP_OK)
        status = take_scale(set, prefix, &block->transit);
    *n_channels = block->transit.n_out;
    return status;
}

/* ---- the parts ----------------------------------------------------------------------------------
 */

/* The head, whose strides are of frequency alone. */
static enum vp_status take_head(const struct tensor_set *set, struct net *net)
{
    const struct take_shape stem = {.n_in = 1, .kernel = 3, .stride = 1};
    enum vp_status status = take_conv(set, "head.conv1", "head.bn1", &stem, &net->stem);
    size_t n_channels = net->stem.n_out;
    for (size_t s = 0; s < 2; s++)
        for (size_t b = 0; status == VP_OK; b++) {
            char prefix[TAKE_NAME_CHARS];
            snprintf(prefix, sizeof prefix, "head.layer%zu.%zu", s + 1, b);
            if (b > 0 && !take_has(set, prefix, ".conv1.weight"))
                break;
            struct net_block *block = net_stage_add(&net->stages[s]);
            if (block == NULL)
                return status_no_memory(set->err, "a block", sizeof *block);
            status =
                take_block(set, prefix, n_channels, b > 0 ? n_channels : 0, b == 0 ? 2 : 1, block);
            block->convs[0].time_stride = block->shortcut.time_stride = 1;
            n_channels = block->convs[1].n_out;
        }
    if (status != VP_OK)
        return status;
    struct net_block *last = net_stage_add(&net->stages[2]);
    if (last == NULL)
        return status_no_memory(set->err, "a block", sizeof *last);
    last->n_convs = 1;
    const struct take_shape shape = {.n_in = n_channels, .kernel = 3, .stride = 2};
    status = take_conv(set, "head.conv2", "head.bn2", &shape, &last->convs[0]);
    last->convs[0].time_stride = 1;
    return status;
}

/* Statistics [2 n] -> embedding [dim]: a 1x1 without bias, and a BatchNorm behind it without
 * weight and bias, which no ReLU follows. */
static enum vp_status take_last_layer(const struct tensor_set *set, size_t n, struct net *net)
{
    struct net_conv1d conv = {0};
    enum vp_status status = take_conv1d(set, "xvector.dense.linear", 2 * n, 0, 1, false, &conv);
    if (status == VP_OK)
        status = fold_norm(set, "xvector.dense.nonlinear.batchnorm", &conv);
    net->dim = conv.n_out;
    net->fc_weight = conv.weight;
    net->fc_bias = conv.bias;
    if (status == VP_OK && take_has(set, "mean_vec", ""))
        status = take_vector(set, "mean_vec", "", net->dim, &net->mean_vec);
    return status;
}

enum vp_status campplus_weights_bind(struct tensor *tensors, size_t n_tensors, struct net *net,
                                     struct vp_err *err)
{
    const struct tensor_set set = {.tensors = tensors, .n_tensors = n_tensors, .err = err};
    net->campplus = calloc(1, sizeof *net->campplus);
    if (net->campplus == NULL)
        return status_no_memory(err, "the network", sizeof *net->campplus);
    struct campplus_net *campplus = net->campplus;
    enum vp_status status = take_head(&set, net);
    size_t n_channels = 0, n_growth = 0;
    if (status == VP_OK && !size_multiply(net->stages[2].blocks[0].convs[0].n_out,
                                          net_head_n_freq(net, 2), &n_channels))
        status = status_fail(err, VP_ERR_MODEL, "the head's output is too large");
    if (status == VP_OK)
        status = take_conv1d(&set, TDNN ".linear", n_channels, 0, CAMPPLUS_TDNN_TAPS, false,
                             &campplus->tdnn);
    campplus->tdnn.stride = 2;
    if (status == VP_OK)
        status = take_folded(&set, TDNN ".nonlinear.batchnorm", &campplus->tdnn);
    n_channels = campplus->tdnn.n_out;
    for (size_t b = 0; b < CAMPPLUS_N_BLOCKS && status == VP_OK; b++)
        status = take_dense_block(&set, b, &n_channels, &n_growth, &campplus->blocks[b]);
    if (status == VP_OK)
        status = take_folded(&set, "xvector.out_nonlinear.batchnorm",
                             &campplus->blocks[CAMPPLUS_N_BLOCKS - 1].transit);
    if (status == VP_OK)
        status = take_last_layer(&set, n_channels, net);
    return status != VP_OK ? status : take_check_all_used(&set);
}
