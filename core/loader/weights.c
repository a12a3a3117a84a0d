/* WeSpeaker's tensor names -> struct net. */
#include "loader/weights.h"

#include "loader/tensor_set.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NORM_EPS     1e-5 /* torch.nn.BatchNorm2d's default, which WeSpeaker keeps */
#define NAME_CHARS   96
#define MAX_CHANNELS 65536u /* far beyond any layer, far below any overflow */

static bool has(const struct tensor_set *set, const char *prefix, const char *suffix)
{
    char name[NAME_CHARS];
    snprintf(name, sizeof name, "%.60s%.30s", prefix, suffix);
    return tensor_set_find(set, name) != NULL;
}

/* The tensor prefix + suffix; its shape is the caller's to check. */
static enum vp_status take(const struct tensor_set *set, const char *prefix, const char *suffix,
                           struct tensor **out)
{
    char name[NAME_CHARS];
    snprintf(name, sizeof name, "%.60s%.30s", prefix, suffix);
    return tensor_set_take(set, name, out);
}

/* A tensor [n] as owned floats. */
static enum vp_status take_vector(const struct tensor_set *set, const char *prefix,
                                  const char *suffix, size_t n, float **out)
{
    struct tensor *tensor = NULL;
    enum vp_status status = take(set, prefix, suffix, &tensor);
    if (status == VP_OK)
        status = tensor_check_shape(tensor, &n, 1, set->err);
    if (status != VP_OK)
        return status;
    *out = malloc(n * sizeof **out);
    if (*out == NULL)
        return status_no_memory(set->err, "weights", n * sizeof **out);
    return tensor_read_floats(tensor, *out, set->err);
}

static enum vp_status fold_norm(const struct tensor_set *set, const char *prefix,
                                struct net_conv *conv)
{
    static const char *const suffixes[] = {".weight", ".bias", ".running_mean", ".running_var"};
    float *parts[4] = {NULL, NULL, NULL, NULL};
    enum vp_status status = VP_OK;
    for (size_t i = 0; i < 4 && status == VP_OK; i++)
        status = take_vector(set, prefix, suffixes[i], conv->n_out, &parts[i]);
    if (status == VP_OK) {
        const struct net_norm norm = {parts[0], parts[1], parts[2], parts[3], NORM_EPS};
        char name[NAME_CHARS];
        snprintf(name, sizeof name, "%.60s.running_var", prefix);
        status = net_conv_fold(conv, &norm, name, set->err);
    }
    for (size_t i = 0; i < 4; i++)
        free(parts[i]);
    return status;
}

/* The convolution conv_name and the BatchNorm norm_name behind it. n_out 0: the file decides. */
static enum vp_status take_conv(const struct tensor_set *set, const char *conv_name,
                                const char *norm_name, size_t n_in, size_t n_out, size_t kernel,
                                size_t stride, struct net_conv *out)
{
    struct tensor *weight = NULL;
    enum vp_status status = take(set, conv_name, ".weight", &weight);
    if (status != VP_OK)
        return status;
    if (n_out == 0)
        n_out = weight->dims[0]; /* 0 for a scalar */
    const size_t shape[] = {n_out, n_in, kernel, kernel};
    status = tensor_check_shape(weight, shape, 4, set->err);
    if (status == VP_OK && (n_out == 0 || n_out > MAX_CHANNELS))
        status = status_fail(set->err, VP_ERR_MODEL, "tensor '%s' has %zu output channels",
                             weight->name, n_out);
    if (status == VP_OK)
        status = net_conv_init(out, n_out, n_in, kernel, stride, set->err);
    if (status == VP_OK)
        status = tensor_read_floats(weight, out->weight, set->err);
    return status != VP_OK ? status : fold_norm(set, norm_name, out);
}

/* prefix: "layer2.0". n_out: of the whole block, 0 when this is the first of its stage. */
static enum vp_status take_block(const struct tensor_set *set, const char *prefix, size_t n_in,
                                 size_t n_out, size_t stride, struct net_block *block)
{
    char conv[NAME_CHARS], norm[NAME_CHARS];
    block->n_convs = has(set, prefix, ".conv3.weight") ? 3 : 2;
    size_t n_channels = n_in;
    for (size_t i = 0; i < block->n_convs; i++) {
        bool first_3x3 = i == block->n_convs - 2; /* conv1 of a BasicBlock, conv2 of a Bottleneck */
        bool is_3x3 = block->n_convs == 2 || first_3x3;
        bool last = i == block->n_convs - 1;
        snprintf(conv, sizeof conv, "%.60s.conv%zu", prefix, i + 1);
        snprintf(norm, sizeof norm, "%.60s.bn%zu", prefix, i + 1);
        enum vp_status status = take_conv(set, conv, norm, n_channels, last ? n_out : 0,
                                          is_3x3 ? 3 : 1, first_3x3 ? stride : 1, &block->convs[i]);
        if (status != VP_OK)
            return status;
        n_channels = block->convs[i].n_out;
    }
    block->has_shortcut = stride != 1 || n_channels != n_in;
    if (!block->has_shortcut)
        return VP_OK;
    snprintf(conv, sizeof conv, "%.60s.shortcut.0", prefix);
    snprintf(norm, sizeof norm, "%.60s.shortcut.1", prefix);
    return take_conv(set, conv, norm, n_in, n_channels, 1, stride, &block->shortcut);
}

static enum vp_status take_stage(const struct tensor_set *set, size_t s, size_t *n_channels,
                                 struct net_stage *stage)
{
    for (size_t b = 0;; b++) {
        char prefix[NAME_CHARS];
        snprintf(prefix, sizeof prefix, "layer%zu.%zu", s + 1, b);
        if (b > 0 && !has(set, prefix, ".conv1.weight"))
            return VP_OK;
        struct net_block *block = net_stage_add(stage);
        if (block == NULL)
            return status_no_memory(set->err, "a block", sizeof *block);
        enum vp_status status = take_block(set, prefix, *n_channels, b > 0 ? *n_channels : 0,
                                           s > 0 && b == 0 ? 2 : 1, block);
        if (status != VP_OK)
            return status;
        *n_channels = block->convs[block->n_convs - 1].n_out;
    }
}

/* Statistics [2 * n_channels * n_freq] -> embedding [dim]. */
static enum vp_status take_head(const struct tensor_set *set, size_t n_channels, struct net *net)
{
    struct tensor *weight = NULL;
    enum vp_status status = take(set, "seg_1", ".weight", &weight);
    if (status != VP_OK)
        return status;
    const size_t rows[] = {2, n_channels, net_stage_n_freq(net, VP_MAX_STAGES - 1)};
    size_t shape[2] = {weight->dims[0], 0};
    if (!size_product(rows, 3, &shape[1]) || shape[0] == 0 || shape[0] > MAX_CHANNELS)
        return status_fail(set->err, VP_ERR_MODEL, "tensor 'seg_1.weight' has %zu rows", shape[0]);
    status = tensor_check_shape(weight, shape, 2, set->err);
    if (status != VP_OK)
        return status;
    net->dim = shape[0];
    net->fc_weight = malloc(weight->n_values * sizeof *net->fc_weight);
    if (net->fc_weight == NULL)
        return status_no_memory(set->err, "seg_1", weight->n_values * sizeof *net->fc_weight);
    status = tensor_read_floats(weight, net->fc_weight, set->err);
    if (status == VP_OK)
        status = take_vector(set, "seg_1", ".bias", net->dim, &net->fc_bias);
    if (status == VP_OK && has(set, "mean_vec", ""))
        status = take_vector(set, "mean_vec", "", net->dim, &net->mean_vec);
    return status;
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), n_end = strlen(end);
    return n >= n_end && strcmp(text + n - n_end, end) == 0;
}

static enum vp_status check_all_used(const struct tensor_set *set)
{
    for (size_t i = 0; i < set->n_tensors; i++) {
        const char *name = set->tensors[i].name;
        if (!set->tensors[i].used && !ends_with(name, ".num_batches_tracked") &&
            strncmp(name, "projection.", strlen("projection.")) != 0)
            return status_fail(set->err, VP_ERR_MODEL,
                               "tensor '%.100s' has no place in the network", name);
    }
    return VP_OK;
}

enum vp_status weights_bind(struct tensor *tensors, size_t n_tensors, struct net *net,
                            struct vp_err *err)
{
    const struct tensor_set set = {.tensors = tensors, .n_tensors = n_tensors, .err = err};
    enum vp_status status = take_conv(&set, "conv1", "bn1", 1, 0, 3, 1, &net->stem);
    size_t n_channels = net->stem.n_out;
    for (size_t s = 0; s < VP_MAX_STAGES && status == VP_OK; s++)
        status = take_stage(&set, s, &n_channels, &net->stages[s]);
    if (status == VP_OK)
        status = take_head(&set, n_channels, net);
    return status != VP_OK ? status : check_all_used(&set);
}
