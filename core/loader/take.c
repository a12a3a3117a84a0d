/* Tensors by name, taken one by one: vectors, convolutions with their BatchNorm, residual blocks.
 */
#include "loader/take.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool take_has(const struct tensor_set *set, const char *prefix, const char *suffix)
{
    char name[TAKE_NAME_CHARS];
    snprintf(name, sizeof name, "%.60s%.30s", prefix, suffix);
    return tensor_set_find(set, name) != NULL;
}

enum vp_status take_tensor(const struct tensor_set *set, const char *prefix, const char *suffix,
                           struct tensor **out)
{
    char name[TAKE_NAME_CHARS];
    snprintf(name, sizeof name, "%.60s%.30s", prefix, suffix);
    return tensor_set_take(set, name, out);
}

enum vp_status take_vector(const struct tensor_set *set, const char *prefix, const char *suffix,
                           size_t n, float **out)
{
    struct tensor *tensor = NULL;
    enum vp_status status = take_tensor(set, prefix, suffix, &tensor);
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
        const struct net_norm norm = {parts[0], parts[1], parts[2], parts[3], TAKE_NORM_EPS};
        char name[TAKE_NAME_CHARS];
        snprintf(name, sizeof name, "%.60s.running_var", prefix);
        status = net_conv_fold(conv, &norm, name, set->err);
    }
    for (size_t i = 0; i < 4; i++)
        free(parts[i]);
    return status;
}

enum vp_status take_conv(const struct tensor_set *set, const char *conv_name, const char *norm_name,
                         const struct take_shape *shape, struct net_conv *out)
{
    struct tensor *weight = NULL;
    enum vp_status status = take_tensor(set, conv_name, ".weight", &weight);
    if (status != VP_OK)
        return status;
    const size_t n_out = shape->n_out != 0 ? shape->n_out : weight->dims[0]; /* 0 for a scalar */
    const size_t dims[] = {n_out, shape->n_in, shape->kernel, shape->kernel};
    status = tensor_check_shape(weight, dims, 4, set->err);
    if (status == VP_OK && (n_out == 0 || n_out > NET_MAX_CHANNELS))
        status = status_fail(set->err, VP_ERR_MODEL, "tensor '%s' has %zu output channels",
                             weight->name, n_out);
    if (status == VP_OK)
        status = net_conv_init(out, n_out, shape->n_in, shape->kernel, shape->stride, set->err);
    if (status == VP_OK)
        status = tensor_read_floats(weight, out->weight, set->err);
    return status != VP_OK ? status : fold_norm(set, norm_name, out);
}

enum vp_status take_block(const struct tensor_set *set, const char *prefix, size_t n_in,
                          size_t n_out, size_t stride, struct net_block *block)
{
    char conv[TAKE_NAME_CHARS], norm[TAKE_NAME_CHARS];
    block->n_convs = take_has(set, prefix, ".conv3.weight") ? 3 : 2;
    size_t n_channels = n_in;
    for (size_t i = 0; i < block->n_convs; i++) {
        bool first_3x3 = i == block->n_convs - 2; /* conv1 of a BasicBlock, conv2 of a Bottleneck */
        bool is_3x3 = block->n_convs == 2 || first_3x3;
        bool last = i == block->n_convs - 1;
        snprintf(conv, sizeof conv, "%.60s.conv%zu", prefix, i + 1);
        snprintf(norm, sizeof norm, "%.60s.bn%zu", prefix, i + 1);
        const struct take_shape shape = {.n_in = n_channels,
                                         .n_out = last ? n_out : 0,
                                         .kernel = is_3x3 ? 3 : 1,
                                         .stride = first_3x3 ? stride : 1};
        enum vp_status status = take_conv(set, conv, norm, &shape, &block->convs[i]);
        if (status != VP_OK)
            return status;
        n_channels = block->convs[i].n_out;
    }
    block->has_shortcut = stride != 1 || n_channels != n_in;
    if (!block->has_shortcut)
        return VP_OK;
    snprintf(conv, sizeof conv, "%.60s.shortcut.0", prefix);
    snprintf(norm, sizeof norm, "%.60s.shortcut.1", prefix);
    const struct take_shape projection = {n_in, n_channels, .kernel = 1, .stride = stride};
    return take_conv(set, conv, norm, &projection, &block->shortcut);
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), n_end = strlen(end);
    return n >= n_end && strcmp(text + n - n_end, end) == 0;
}

enum vp_status take_check_all_used(const struct tensor_set *set)
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
