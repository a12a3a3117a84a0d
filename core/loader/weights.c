/* WeSpeaker's tensor names -> struct net. */
#include "loader/weights.h"

#include "loader/take.h"

#include <stdio.h>
#include <stdlib.h>

static enum vp_status take_stage(const struct tensor_set *set, size_t s, size_t *n_channels,
                                 struct net_stage *stage)
{
    for (size_t b = 0;; b++) {
        char prefix[TAKE_NAME_CHARS];
        snprintf(prefix, sizeof prefix, "layer%zu.%zu", s + 1, b);
        if (b > 0 && !take_has(set, prefix, ".conv1.weight"))
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
    enum vp_status status = take_tensor(set, "seg_1", ".weight", &weight);
    if (status != VP_OK)
        return status;
    const size_t rows[] = {2, n_channels, net_stage_n_freq(net, VP_MAX_STAGES - 1)};
    size_t shape[2] = {weight->dims[0], 0};
    if (!size_product(rows, 3, &shape[1]) || shape[0] == 0 || shape[0] > NET_MAX_CHANNELS)
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
    if (status == VP_OK && take_has(set, "mean_vec", ""))
        status = take_vector(set, "mean_vec", "", net->dim, &net->mean_vec);
    return status;
}

enum vp_status weights_bind(struct tensor *tensors, size_t n_tensors, struct net *net,
                            struct vp_err *err)
{
    const struct tensor_set set = {.tensors = tensors, .n_tensors = n_tensors, .err = err};
    const struct take_shape stem = {.n_in = 1, .kernel = 3, .stride = 1};
    enum vp_status status = take_conv(&set, "conv1", "bn1", &stem, &net->stem);
    size_t n_channels = net->stem.n_out;
    for (size_t s = 0; s < VP_MAX_STAGES && status == VP_OK; s++)
        status = take_stage(&set, s, &n_channels, &net->stages[s]);
    if (status == VP_OK)
        status = take_head(&set, n_channels, net);
    return status != VP_OK ? status : take_check_all_used(&set);
}
