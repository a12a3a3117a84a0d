/* The network as a model file states it: memory, BatchNorm, and whether everything agrees. */
#include "network/net.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_CHARS 64 /* "layer4.1234.shortcut.0" */

enum vp_status net_conv_init(struct net_conv *conv, size_t n_out, size_t n_in, size_t kernel,
                             size_t stride, struct vp_err *err)
{
    *conv = (struct net_conv){
        .n_in = n_in, .n_out = n_out, .kernel = kernel, .stride = stride, .time_stride = stride};
    const size_t dims[] = {n_out, n_in, kernel, kernel};
    return net_weights_new(dims, 4, &conv->weight, &conv->bias, err);
}

size_t net_conv_n_weights(const struct net_conv *conv)
{
    return conv->n_out * conv->n_in * conv->kernel * conv->kernel;
}

/* y = (x - mean) / sqrt(variance + eps) * weight + bias, written into the convolution before it. */
enum vp_status net_conv_fold(struct net_conv *conv, const struct net_norm *norm, const char *name,
                             struct vp_err *err)
{
    size_t n_taps = conv->n_in * conv->kernel * conv->kernel;
    for (size_t o = 0; o < conv->n_out; o++) {
        double variance = (double)norm->variance[o];
        if (!(variance >= 0.0) || !(variance + norm->eps > 0.0))
            return status_fail(err, VP_ERR_MODEL, "'%.100s' has a variance of %g in channel %zu",
                               name, variance, o);
        double scale = (double)norm->weight[o] / sqrt(variance + norm->eps);
        float *taps = conv->weight + o * n_taps;
        for (size_t i = 0; i < n_taps; i++)
            taps[i] = (float)((double)taps[i] * scale);
        conv->bias[o] = (float)(((double)conv->bias[o] - (double)norm->mean[o]) * scale +
                                (double)norm->bias[o]);
    }
    return VP_OK;
}

enum vp_status net_norm_scale(const struct net_norm *norm, size_t n, const char *name, float *scale,
                              float *shift, struct vp_err *err)
{
    for (size_t i = 0; i < n; i++) {
        if (!(norm->variance[i] >= 0.0F))
            return status_fail(err, VP_ERR_MODEL, "'%.80s' has a variance of %g in channel %zu",
                               name, (double)norm->variance[i], i);
        const double factor = (double)norm->weight[i] / sqrt((double)norm->variance[i] + norm->eps);
        scale[i] = (float)factor;
        shift[i] = (float)((double)norm->bias[i] - (double)norm->mean[i] * factor);
    }
    return VP_OK;
}

struct net_block *net_stage_add(struct net_stage *stage)
{
    struct net_block *blocks = realloc(stage->blocks, (stage->n_blocks + 1) * sizeof *blocks);
    if (blocks == NULL)
        return NULL;
    stage->blocks = blocks;
    blocks[stage->n_blocks] = (struct net_block){0};
    return &blocks[stage->n_blocks++];
}

/* 3x3, stride 2, padding 1: rounds up. */
static size_t halve(size_t n_freq, size_t n_times)
{
    for (; n_times > 0; n_times--)
        n_freq = n_freq / 2 + n_freq % 2;
    return n_freq;
}

size_t net_stage_n_freq(const struct net *net, size_t stage)
{
    return halve(net->n_mels, stage);
}

size_t net_head_n_freq(const struct net *net, size_t stage)
{
    return halve(net->n_mels, stage + 1);
}

static enum vp_status check_finite(const float *values, size_t n, const char *name,
                                   struct vp_err *err)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(values[i]))
            return status_fail(err, VP_ERR_MODEL,
                               "'%s' has NaN or infinity among its weights (value %zu)", name, i);
    return VP_OK;
}

static enum vp_status check_conv(const struct net_conv *conv, size_t n_in, size_t kernel,
                                 size_t stride, size_t time_stride, const char *name,
                                 struct vp_err *err)
{
    if (conv->weight == NULL || conv->bias == NULL)
        return status_fail(err, VP_ERR_MODEL, "'%s' has no %s", name,
                           conv->weight == NULL ? "weights" : "bias");
    if (conv->n_in != n_in)
        return status_fail(err, VP_ERR_MODEL,
                           "'%s' takes %zu channels, but the layer before it gives %zu", name,
                           conv->n_in, n_in);
    if (conv->kernel != kernel || conv->stride != stride)
        return status_fail(
            err, VP_ERR_MODEL,
            "'%s' is %zux%zu with stride %zu where %zux%zu with stride %zu is needed", name,
            conv->kernel, conv->kernel, conv->stride, kernel, kernel, stride);
    if (conv->time_stride != time_stride)
        return status_fail(err, VP_ERR_MODEL, "'%s' has stride %zu in time where %zu is needed",
                           name, conv->time_stride, time_stride);
    if (conv->n_out == 0 || conv->n_out > NET_MAX_CHANNELS)
        return status_fail(err, VP_ERR_MODEL, "'%s' gives %zu channels", name, conv->n_out);
    enum vp_status status = check_finite(conv->weight, net_conv_n_weights(conv), name, err);
    return status != VP_OK ? status : check_finite(conv->bias, conv->n_out, name, err);
}

/* The 1x1 of a block's other branch: there exactly where the block changes the shape. */
static enum vp_status check_shortcut(const struct net_block *block, size_t stride,
                                     size_t time_stride, size_t n_in, size_t n_out,
                                     const char *name, struct vp_err *err)
{
    const bool must_project = stride != 1 || n_in != n_out;
    char conv_name[NAME_CHARS];
    snprintf(conv_name, sizeof conv_name, "%.30s.shortcut", name);
    if (block->has_shortcut != must_project)
        return status_fail(err, VP_ERR_MODEL, "'%s' is %s", conv_name,
                           must_project ? "missing, and the block changes the shape"
                                        : "there, but the block keeps its shape");
    if (!block->has_shortcut)
        return VP_OK;
    enum vp_status status =
        check_conv(&block->shortcut, n_in, 1, stride, time_stride, conv_name, err);
    if (status == VP_OK && block->shortcut.n_out != n_out)
        status = status_fail(err, VP_ERR_MODEL, "'%s' gives %zu channels, its main branch %zu",
                             conv_name, block->shortcut.n_out, n_out);
    return status;
}

/* *n_channels: into the block, and out of it. */
static enum vp_status check_block(const struct net_block *block, size_t stride, size_t time_stride,
                                  size_t *n_channels, const char *name, struct vp_err *err)
{
    static const size_t kernels[2][3] = {{3, 3, 0}, {1, 3, 1}}; /* BasicBlock, Bottleneck */
    if (block->n_convs != 2 && block->n_convs != 3)
        return status_fail(err, VP_ERR_MODEL, "'%s' has %zu convolutions", name, block->n_convs);
    size_t strided = block->n_convs - 2; /* the convolution that halves: the first 3x3 */
    size_t n_in = *n_channels;
    char conv_name[NAME_CHARS];
    for (size_t i = 0; i < block->n_convs; i++) {
        snprintf(conv_name, sizeof conv_name, "%.30s.conv%zu", name, i + 1);
        enum vp_status status =
            check_conv(&block->convs[i], n_in, kernels[block->n_convs - 2][i],
                       i == strided ? stride : 1, i == strided ? time_stride : 1, conv_name, err);
        if (status != VP_OK)
            return status;
        n_in = block->convs[i].n_out;
    }
    enum vp_status status =
        check_shortcut(block, stride, time_stride, *n_channels, n_in, name, err);
    *n_channels = n_in;
    return status;
}

/* A stage whose first block has this stride. */
static enum vp_status check_stage(const struct net *net, size_t s, size_t stride,
                                  size_t time_stride, size_t *n_channels, struct vp_err *err)
{
    const struct net_stage *stage = &net->stages[s];
    if (stage->n_blocks == 0)
        return status_fail(err, VP_ERR_MODEL, "'layer%zu' has no blocks", s + 1);
    for (size_t b = 0; b < stage->n_blocks; b++) {
        char name[NAME_CHARS];
        snprintf(name, sizeof name, "layer%zu.%zu", s + 1, b);
        if (stage->blocks[b].n_convs != net->stages[0].blocks[0].n_convs)
            return status_fail(err, VP_ERR_MODEL, "'%s' has %zu convolutions, 'layer1.0' has %zu",
                               name, stage->blocks[b].n_convs, net->stages[0].blocks[0].n_convs);
        size_t before = *n_channels;
        enum vp_status status = check_block(&stage->blocks[b], b == 0 ? stride : 1,
                                            b == 0 ? time_stride : 1, n_channels, name, err);
        if (status != VP_OK)
            return status;
        if (b > 0 && *n_channels != before)
            return status_fail(err, VP_ERR_MODEL, "'%s' changes the number of channels", name);
    }
    return VP_OK;
}

/* Statistics of n_rows -> embedding. */
static enum vp_status check_last_layer(const struct net *net, size_t n_rows, struct vp_err *err)
{
    size_t n_in = 0, n_weights = 0;
    if (!size_multiply(2, n_rows, &n_in) || !size_multiply(n_in, net->dim, &n_weights) ||
        net->fc_weight == NULL || net->fc_bias == NULL || net->dim == 0 ||
        net->dim > NET_MAX_CHANNELS)
        return status_fail(err, VP_ERR_MODEL, "the final linear layer is missing");
    enum vp_status status = check_finite(net->fc_weight, n_weights, "the last layer", err);
    if (status == VP_OK)
        status = check_finite(net->fc_bias, net->dim, "the last layer's bias", err);
    if (status == VP_OK && net->mean_vec != NULL)
        status = check_finite(net->mean_vec, net->dim, "mean_vec", err);
    return status;
}

static enum vp_status check_resnet(const struct net *net, size_t *n_rows, struct vp_err *err)
{
    enum vp_status status = check_conv(&net->stem, 1, 3, 1, 1, "conv1", err);
    size_t n_channels = net->stem.n_out;
    for (size_t s = 0; s < VP_MAX_STAGES && status == VP_OK; s++)
        status = check_stage(net, s, s > 0 ? 2 : 1, s > 0 ? 2 : 1, &n_channels, err);
    if (status == VP_OK &&
        !size_multiply(n_channels, net_stage_n_freq(net, VP_MAX_STAGES - 1), n_rows))
        status = status_fail(err, VP_ERR_MODEL, "'layer4' gives %zu channels", n_channels);
    return status;
}

static enum vp_status check_campplus(const struct net *net, size_t *n_rows, struct vp_err *err)
{
    const struct net_stage *last = &net->stages[2];
    enum vp_status status = check_conv(&net->stem, 1, 3, 1, 1, "head.conv1", err);
    size_t n_channels = net->stem.n_out;
    for (size_t s = 0; s < 2 && status == VP_OK; s++)
        status = check_stage(net, s, 2, 1, &n_channels, err);
    if (status == VP_OK && (last->n_blocks != 1 || last->blocks[0].n_convs != 1))
        status = status_fail(err, VP_ERR_MODEL, "the last convolution of the head is missing");
    if (status == VP_OK)
        status = check_conv(&last->blocks[0].convs[0], n_channels, 3, 2, 1, "head.conv2", err);
    if (status != VP_OK)
        return status;
    n_channels = last->blocks[0].convs[0].n_out;
    if (!size_multiply(n_channels, net_head_n_freq(net, 2), n_rows))
        return status_fail(err, VP_ERR_MODEL, "'head.conv2' gives %zu channels", n_channels);
    return campplus_net_check(net->campplus, *n_rows, n_rows, err);
}

enum vp_status net_check(const struct net *net, struct vp_err *err)
{
    if (net->n_mels == 0)
        return status_fail(err, VP_ERR_MODEL, "the network takes no mel bins");
    size_t n_rows = 0;
    enum vp_status status =
        net->campplus != NULL ? check_campplus(net, &n_rows, err) : check_resnet(net, &n_rows, err);
    return status != VP_OK ? status : check_last_layer(net, n_rows, err);
}

static void free_conv(struct net_conv *conv)
{
    free(conv->weight);
    free(conv->bias);
}

void net_block_clear(struct net_block *block)
{
    for (size_t i = 0; i < 3; i++)
        free_conv(&block->convs[i]);
    free_conv(&block->shortcut);
    *block = (struct net_block){0};
}

void net_free(struct net *net)
{
    if (net == NULL)
        return;
    free_conv(&net->stem);
    for (size_t s = 0; s < VP_MAX_STAGES; s++) {
        for (size_t b = 0; b < net->stages[s].n_blocks; b++)
            net_block_clear(&net->stages[s].blocks[b]);
        free(net->stages[s].blocks);
    }
    campplus_net_free(net->campplus);
    free(net->fc_weight);
    free(net->fc_bias);
    free(net->mean_vec);
    free(net->name);
    free(net->license);
    free(net->origin);
    free(net->self_test);
    free(net);
}
