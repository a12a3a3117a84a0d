/* The network, walked from its output. */
#include "loader/onnx/onnx_bind.h"

#include "loader/onnx/onnx_campplus.h"
#include "loader/onnx/onnx_head.h"
#include "loader/onnx/onnx_operator.h"
#include "loader/onnx/onnx_probe.h"
#include "loader/onnx/onnx_residual.h"
#include "loader/onnx/onnx_walk.h"

#include <string.h>

struct binder {
    struct onnx_graph *graph;
    struct net *net;
    struct vp_err *err;
};

/* ---- everything --------------------------------------------------------------------------- */

/* Said first, by name: what an unknown operator leaves unmatched elsewhere says less. */
static enum vp_status check_operators(const struct binder *b)
{
    static const char *const network[] = {"Conv",   "BatchNormalization", "Relu", "Gemm", "MatMul",
                                          "Sigmoid"};
    for (size_t i = 0; i < b->graph->n_nodes; i++) {
        const struct onnx_node *node = &b->graph->nodes[i];
        bool is_known = onnx_operator_find(node->op) != NULL;
        for (size_t k = 0; k < sizeof network / sizeof network[0]; k++)
            is_known |= strcmp(node->op, network[k]) == 0;
        if (!is_known)
            return status_fail(b->err, VP_ERR_MODEL,
                               "ONNX: node '%.80s': operator %.40s is not one of this network",
                               node->name, node->op);
    }
    return VP_OK;
}

/* A file made for one length has constants of that length inside, and works for no other. */
static enum vp_status check_input(const struct binder *b)
{
    const struct onnx_graph *graph = b->graph;
    if (graph->n_input_dims != 0 && graph->n_input_dims != 3)
        return status_fail(b->err, VP_ERR_MODEL,
                           "ONNX: input '%.80s' has %zu dimensions; [1, frames, mels] is needed",
                           graph->input_name, graph->n_input_dims);
    if (graph->n_input_dims == 3 && graph->input_dims[1] > 0)
        return status_fail(b->err, VP_ERR_MODEL,
                           "ONNX: input '%.80s' is fixed at %jd frames; export the model with a "
                           "dynamic time axis",
                           graph->input_name, (intmax_t)graph->input_dims[1]);
    return VP_OK;
}

static enum vp_status probe_statistics(const struct binder *b, size_t body, size_t pooled)
{
    const struct net_stage *last = &b->net->stages[VP_MAX_STAGES - 1];
    const struct net_block *block = &last->blocks[last->n_blocks - 1];
    const struct onnx_probe_body shape = {
        .n_channels = block->convs[block->n_convs - 1].n_out,
        .n_freq = net_stage_n_freq(b->net, VP_MAX_STAGES - 1),
        .rate = 8, /* three times halved */
    };
    return onnx_probe_statistics(b->graph, b->net->n_mels, &shape, body, pooled, b->err);
}

enum vp_status onnx_bind(struct onnx_graph *graph, struct net *net, struct vp_err *err)
{
    const struct binder b = {.graph = graph, .net = net, .err = err};
    struct onnx_head head = {0};
    size_t body = ONNX_NONE, stem = ONNX_NONE;
    enum vp_status status = check_operators(&b);
    if (status == VP_OK)
        status = check_input(&b);
    if (status == VP_OK && onnx_campplus_is(graph))
        return onnx_campplus_bind(graph, net, err);
    if (status == VP_OK)
        status = onnx_head_find(graph, &head, err);
    if (status == VP_OK)
        status = onnx_probe_find(graph, head.pooled, &body, err);
    if (status == VP_OK)
        status = onnx_residual_bind(graph, body, false, VP_MAX_STAGES, net, &stem, err);
    if (status == VP_OK)
        status = onnx_head_read(&head, net, err);
    if (status == VP_OK)
        status = net_check(net, err); /* before the probes: they are sized by it */
    if (status == VP_OK)
        status = onnx_probe_features(graph, net, stem, err);
    if (status == VP_OK)
        status = probe_statistics(&b, body, head.pooled);
    return status != VP_OK ? status : onnx_walk_all_used(graph, err);
}
