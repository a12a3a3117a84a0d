/*
 * The network's weights: a chain of convolutions, packed for one kernel, and the last layer.
 */
#include "resnet_ops.h"

#include <stdlib.h>
#include <string.h>

static const char *const stage_names[VP_MAX_STAGES] = {"layer1", "layer2", "layer3", "layer4"};

static size_t count_convs(const struct net *net)
{
    size_t n = 1;
    for (size_t s = 0; s < VP_MAX_STAGES; s++)
        for (size_t b = 0; b < net->stages[s].n_blocks; b++)
            n += net->stages[s].blocks[b].n_convs;
    return n;
}

static enum vp_status add_op(struct resnet *resnet, const struct net_conv *net, size_t n_freq,
                             struct vp_err *err)
{
    struct op *op = &resnet->ops[resnet->n_ops];
    enum vp_status status = resnet->kernel->pack(net, n_freq, &op->conv, err);
    op->relu = true;
    resnet->n_ops++; /* also on error: resnet_free frees what pack left */
    resnet->n_bytes += op->conv.n_weights * sizeof(float);
    return status;
}

static enum vp_status add_block(struct resnet *resnet, const struct net_block *block,
                                struct vp_err *err)
{
    const size_t input = resnet->n_ops; /* the stream that the last op wrote */
    const size_t n_freq = resnet->ops[input - 1].conv.out.n_freq;
    enum vp_status status = VP_OK;
    for (size_t i = 0; status == VP_OK && i < block->n_convs; i++)
        status =
            add_op(resnet, &block->convs[i], resnet->ops[resnet->n_ops - 1].conv.out.n_freq, err);
    struct op *last = &resnet->ops[resnet->n_ops - 1];
    last->has_residual = true;
    last->residual = input;
    if (status == VP_OK && block->has_shortcut) {
        last->has_shortcut = true;
        status = resnet->kernel->pack(&block->shortcut, n_freq, &last->shortcut, err);
        resnet->n_bytes += last->shortcut.n_weights * sizeof(float);
    }
    return status;
}

/* A stage begins at the stem and wherever time is halved. */
static void plan_batches(struct resnet *resnet)
{
    for (size_t first = 0, end; first < resnet->n_ops; first = end) {
        size_t batch = 0;
        for (end = first;
             end < resnet->n_ops && (end == first || resnet->ops[end].conv.stride == 1); end++)
            if (resnet->ops[end].conv.most > batch)
                batch = resnet->ops[end].conv.most;
        for (size_t i = first; i < end; i++) {
            resnet->ops[i].batch = batch;
            resnet->ops[i].gate = i == first ? batch : resnet->ops[i].conv.tile;
        }
    }
}

static enum vp_status copy_fc(struct resnet *resnet, const struct net *net, struct vp_err *err)
{
    const struct frame_layout *last = &resnet->ops[resnet->n_ops - 1].conv.out;
    resnet->dim = net->dim;
    resnet->n_pooled = 2 * last->n_channels * last->n_freq;
    const size_t n_weights = net->dim * resnet->n_pooled; /* in memory already: no overflow */
    resnet->fc_weight = malloc(n_weights * sizeof *resnet->fc_weight);
    resnet->fc_bias = malloc(net->dim * sizeof *resnet->fc_bias);
    if (resnet->fc_weight == NULL || resnet->fc_bias == NULL)
        return status_no_memory(err, "the last layer", n_weights * sizeof *resnet->fc_weight);
    memcpy(resnet->fc_weight, net->fc_weight, n_weights * sizeof *resnet->fc_weight);
    for (size_t i = 0; i < net->dim; i++)
        resnet->fc_bias[i] = net->fc_bias[i] - (net->mean_vec != NULL ? net->mean_vec[i] : 0.0F);
    resnet->n_bytes += (n_weights + net->dim) * sizeof(float);
    return VP_OK;
}

enum vp_status resnet_new(const struct net *net, enum vp_kernel kernel, struct resnet **out,
                          struct vp_err *err)
{
    *out = NULL;
    struct resnet *resnet = calloc(1, sizeof *resnet);
    if (resnet == NULL)
        return status_no_memory(err, "the network", sizeof *resnet);
    const size_t n_convs = count_convs(net);
    enum vp_status status = VP_OK;
    resnet->n_bytes = sizeof *resnet + n_convs * sizeof *resnet->ops;
    resnet->kernel = conv_kernel_get(kernel);
    resnet->ops = calloc(n_convs, sizeof *resnet->ops);
    if (resnet->kernel == NULL)
        status = status_fail(err, VP_ERR_ARGUMENT, "this CPU or build cannot run kernel %s",
                             vp_kernel_name(kernel));
    else if (resnet->ops == NULL)
        status = status_no_memory(err, "the network", n_convs * sizeof *resnet->ops);
    if (status != VP_OK)
        goto out;

    resnet->kernel->layout(1, net->n_mels, &resnet->features);
    status = add_op(resnet, &net->stem, net->n_mels, err);
    resnet->ops[0].stage = "conv1";
    for (size_t s = 0; s < VP_MAX_STAGES; s++) {
        for (size_t b = 0; status == VP_OK && b < net->stages[s].n_blocks; b++)
            status = add_block(resnet, &net->stages[s].blocks[b], err);
        resnet->ops[resnet->n_ops - 1].stage = stage_names[s];
    }
    if (status == VP_OK)
        plan_batches(resnet);
    if (status == VP_OK)
        status = copy_fc(resnet, net, err);
out:
    if (status == VP_OK)
        *out = resnet;
    else
        resnet_free(resnet);
    return status;
}

void resnet_free(struct resnet *resnet)
{
    if (resnet == NULL)
        return;
    for (size_t i = 0; i < resnet->n_ops; i++) {
        conv_free(&resnet->ops[i].conv);
        conv_free(&resnet->ops[i].shortcut);
    }
    free(resnet->ops);
    free(resnet->fc_weight);
    free(resnet->fc_bias);
    free(resnet);
}

size_t resnet_bytes(const struct resnet *resnet)
{
    return resnet->n_bytes;
}
