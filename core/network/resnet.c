/*
 * The network's weights: a chain of convolutions, packed for one kernel, and the last layer.
 */
#include "network/resnet.h"

#include "network/resnet_ops.h"

#include <stdlib.h>
#include <string.h>

#define FEW_TILES 8u /* in time */

static const char *const stage_names[VP_MAX_STAGES] = {"layer1", "layer2", "layer3", "layer4"};

static size_t count_convs(const struct net *net)
{
    size_t n = 1;
    for (size_t s = 0; s < VP_MAX_STAGES; s++)
        for (size_t b = 0; b < net->stages[s].n_blocks; b++)
            n += net->stages[s].blocks[b].n_convs;
    return n;
}

static bool add_op(struct resnet *resnet, const struct net_conv *net, size_t n_freq)
{
    struct op *op = &resnet->ops[resnet->n_ops++];
    op->relu = true;
    op->net = net;
    return resnet->kernel->plan(net, n_freq, &op->conv);
}

static bool add_block(struct resnet *resnet, const struct net_block *block)
{
    const size_t input = resnet->n_ops; /* the stream that the last op wrote */
    const size_t n_freq = resnet->ops[input - 1].conv.out.n_freq;
    bool fits = true;
    for (size_t i = 0; i < block->n_convs; i++)
        fits = add_op(resnet, &block->convs[i], resnet->ops[resnet->n_ops - 1].conv.out.n_freq) &&
               fits;
    if (block->n_convs == 1)
        return fits;
    struct op *last = &resnet->ops[resnet->n_ops - 1];
    last->has_residual = true;
    last->residual = input;
    last->has_shortcut = block->has_shortcut;
    last->net_shortcut = &block->shortcut;
    if (block->has_shortcut)
        fits = resnet->kernel->plan(&block->shortcut, n_freq, &last->shortcut) && fits;
    return fits;
}

/* The chain of ops, weights not yet there. False when a size overflows. */
static bool plan_ops(struct resnet *resnet, const struct net *net)
{
    resnet->kernel->layout(1, net->n_mels, &resnet->features);
    bool fits = add_op(resnet, &net->stem, net->n_mels);
    resnet->ops[0].stage = "conv1";
    for (size_t s = 0; s < VP_MAX_STAGES; s++) {
        for (size_t b = 0; b < net->stages[s].n_blocks; b++)
            fits = add_block(resnet, &net->stages[s].blocks[b]) && fits;
        if (net->stages[s].n_blocks > 0)
            resnet->ops[resnet->n_ops - 1].stage = stage_names[s];
    }
    if (net->campplus != NULL)
        resnet->ops[resnet->n_ops - 1].stage = "head";
    return fits;
}

/* A stage begins at the stem and wherever time is halved. */
static void plan_schedule(struct resnet *resnet)
{
    for (size_t i = 0; i < resnet->n_ops; i++)
        resnet->ops[i].residual_reader = resnet->n_ops;
    for (size_t i = 0; i < resnet->n_ops; i++)
        if (resnet->ops[i].has_residual)
            resnet->ops[resnet->ops[i].residual].residual_reader = i;
    for (size_t first = 0, end; first < resnet->n_ops; first = end) {
        size_t batch = 0, most_tile = 1;
        for (end = first;
             end < resnet->n_ops && (end == first || resnet->ops[end].conv.time_stride == 1);
             end++) {
            const struct conv *conv = &resnet->ops[end].conv;
            batch = conv->most > batch ? conv->most : batch;
            most_tile = conv->most_tile > most_tile ? conv->most_tile : most_tile;
        }
        for (size_t i = first; i < end; i++) {
            resnet->ops[i].batch = batch;
            resnet->ops[i].n_calls = batch < FEW_TILES * most_tile ? 2 : 1;
            resnet->ops[i].begins_stage = i == first;
            const size_t tile = resnet->ops[i].conv.most_tile;
            resnet->ops[i].gate = i == first ? batch - batch % tile : tile;
        }
    }
}

/* Each convolution's place in the one block of all weights. */
static void place_weights(void *ctx, struct arena *arena)
{
    struct resnet *resnet = ctx;
    for (size_t i = 0; i < resnet->n_ops; i++) {
        struct op *op = &resnet->ops[i];
        op->conv.weights = arena_floats(arena, op->conv.n_weights);
        op->shortcut.weights = arena_floats(arena, op->shortcut.n_weights);
    }
    resnet->fc_weight = arena_rows(arena, resnet->dim, resnet->n_pooled);
    resnet->fc_bias = arena_floats(arena, resnet->dim);
}

static void pack_weights(struct resnet *resnet, const struct net *net)
{
    for (size_t i = 0; i < resnet->n_ops; i++) {
        struct op *op = &resnet->ops[i];
        resnet->kernel->pack(&op->conv, op->net);
        if (op->has_shortcut)
            resnet->kernel->pack(&op->shortcut, op->net_shortcut);
        op->net = op->net_shortcut = NULL; /* the loader's, soon gone */
    }
    if (net->campplus != NULL)
        return;
    memcpy(resnet->fc_weight, net->fc_weight,
           resnet->dim * resnet->n_pooled * sizeof *resnet->fc_weight);
    for (size_t i = 0; i < net->dim; i++)
        resnet->fc_bias[i] = net->fc_bias[i] - (net->mean_vec != NULL ? net->mean_vec[i] : 0.0F);
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
    resnet->kernel = conv_kernel_get(kernel);
    resnet->ops = calloc(n_convs, sizeof *resnet->ops);
    if (resnet->kernel == NULL)
        status = status_fail(err, VP_ERR_ARGUMENT, "this CPU or build cannot run kernel %s",
                             vp_kernel_name(kernel));
    else if (resnet->ops == NULL || !plan_ops(resnet, net))
        status = status_no_memory(err, "the network", n_convs * sizeof *resnet->ops);
    if (status != VP_OK)
        goto out;

    plan_schedule(resnet);
    const struct frame_layout *last = resnet_frame_layout(resnet);
    resnet->dim = net->campplus == NULL ? net->dim : 0;
    resnet->n_pooled = 2 * last->n_channels * last->n_freq;
    status = arena_build(&resnet->weights, place_weights, resnet, "the packed weights", err);
    if (status == VP_OK)
        pack_weights(resnet, net);
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
    arena_free(&resnet->weights);
    free(resnet->ops);
    free(resnet);
}

const struct frame_layout *resnet_frame_layout(const struct resnet *resnet)
{
    return &resnet->ops[resnet->n_ops - 1].conv.out;
}

size_t resnet_n_mels(const struct resnet *resnet)
{
    return resnet->features.n_freq;
}

size_t resnet_bytes(const struct resnet *resnet)
{
    return sizeof *resnet + resnet->n_ops * sizeof *resnet->ops + resnet->weights.n_bytes;
}
