/* A CAM++, walked from its output. */
#include "loader/onnx/onnx_campplus.h"

#include "loader/onnx/onnx_campplus_probe.h"
#include "loader/onnx/onnx_conv.h"
#include "loader/onnx/onnx_conv1d.h"
#include "loader/onnx/onnx_head.h"
#include "loader/onnx/onnx_probe.h"
#include "loader/onnx/onnx_residual.h"
#include "loader/onnx/onnx_walk.h"

#include <stdlib.h>

#define N_HEAD_STAGES 2u /* of residual blocks; one more convolution follows */

static const struct onnx_conv1d_shape pointwise = {.n_taps = 1, .stride = 1, .dilation = 1};

struct walk {
    struct onnx_graph *graph;
    struct net *net;
    struct vp_err *err;
};

bool onnx_campplus_is(const struct onnx_graph *graph)
{
    for (size_t i = 0; i < graph->n_nodes; i++)
        if (onnx_walk_is(&graph->nodes[i], "Sigmoid"))
            return true;
    return false;
}

/* ---- dense layers ----------------------------------------------------------------------------
 */

/* The convolution behind a ReLU that gives *value; *value becomes what it reads. */
static enum vp_status take_with_relu(const struct walk *w, size_t *value,
                                     const struct onnx_conv1d_shape *shape, struct net_conv1d *conv)
{
    enum vp_status status = onnx_walk_back(w->graph, value, "Relu", "", 1, w->err);
    if (status == VP_OK)
        status = onnx_conv1d_take(w->graph, value, shape, conv, w->err);
    conv->relu = true;
    return status;
}

/* sigmoid(up ReLU(down context)), from what the sigmoid gives; *value becomes the context. */
static enum vp_status take_gate(const struct walk *w, size_t *value, struct campplus_layer *layer)
{
    enum vp_status status = onnx_walk_back(w->graph, value, "Sigmoid", "", 1, w->err);
    if (status == VP_OK)
        status = onnx_conv1d_take(w->graph, value, &pointwise, &layer->up, w->err);
    if (status == VP_OK)
        status = onnx_walk_back(w->graph, value, "Relu", "", 1, w->err);
    if (status == VP_OK)
        status = onnx_conv1d_take(w->graph, value, &pointwise, &layer->down, w->err);
    return status;
}

/* What the layer adds to its input; *value, which the product gives, becomes that input. */
static enum vp_status take_layer(const struct walk *w, size_t *value, size_t dilation,
                                 struct campplus_layer *layer)
{
    const struct onnx_conv1d_shape shape = {
        .n_taps = CAMPPLUS_LOCAL_TAPS, .stride = 1, .dilation = dilation};
    struct onnx_node *product = NULL;
    enum vp_status status =
        onnx_walk_expect(w->graph, onnx_walk_source(w->graph, *value), "Mul", &product, w->err);
    if (status == VP_OK)
        status = onnx_walk_use(product, "", 2, 2, w->err);
    if (status != VP_OK)
        return status;
    size_t local = onnx_walk_source(w->graph, product->inputs[0]);
    size_t context = onnx_walk_source(w->graph, product->inputs[1]);
    if (onnx_walk_is(onnx_producer(w->graph, local), "Sigmoid")) {
        const size_t gate = local;
        local = context;
        context = gate;
    }
    status = take_gate(w, &context, layer);
    if (status == VP_OK)
        status = onnx_conv1d_take(w->graph, &local, &shape, &layer->local, w->err);
    if (status == VP_OK)
        status = onnx_campplus_probe_gate(w->graph, w->net->n_mels, layer->local.n_in, local,
                                          context, w->err);
    *value = local;
    if (status == VP_OK)
        status = take_with_relu(w, value, &pointwise, &layer->bottleneck);
    if (status == VP_OK)
        status = onnx_conv1d_norm_before(w->graph, value, &layer->bottleneck, w->err);
    return status;
}

/* How many layers append to one another before value. */
static size_t count_layers(const struct onnx_graph *graph, size_t value)
{
    size_t n = 0;
    const struct onnx_node *node = onnx_producer(graph, value);
    for (; onnx_walk_is(node, "Concat") && node->n_inputs == 2 && node->inputs[0] != ONNX_NONE; n++)
        node = onnx_producer(graph, onnx_walk_source(graph, node->inputs[0]));
    return n;
}

/* One layer and the Concat that appends it; *value becomes the layer's input. */
static enum vp_status take_appended(const struct walk *w, size_t *value, size_t dilation,
                                    struct campplus_layer *layer)
{
    struct onnx_node *concat = onnx_producer(w->graph, *value);
    int64_t axis;
    enum vp_status status = onnx_walk_use(concat, "axis", 2, 2, w->err);
    if (status != VP_OK)
        return status;
    if (!onnx_attribute_int(concat, "axis", 0, &axis) || (axis != 1 && axis != -2))
        return status_fail(w->err, VP_ERR_MODEL, "ONNX: node '%.100s' (Concat): axis must be 1",
                           concat->name);
    size_t added = concat->inputs[1];
    *value = onnx_walk_source(w->graph, concat->inputs[0]);
    status = take_layer(w, &added, dilation, layer);
    if (status == VP_OK && added != *value)
        status = status_fail(w->err, VP_ERR_MODEL,
                             "ONNX: node '%.100s' (Concat) appends what is computed from another "
                             "value than it is appended to",
                             concat->name);
    return status;
}

/* The layers of block b, whose last one gives *value; *value becomes the block's input. */
static enum vp_status take_block(const struct walk *w, size_t *value, size_t b)
{
    struct campplus_block *block = &w->net->campplus->blocks[b];
    const size_t n = count_layers(w->graph, *value);
    if (n == 0)
        return status_fail(w->err, VP_ERR_MODEL,
                           "ONNX: '%.80s' is not given by a layer of block %zu",
                           w->graph->values[*value].name, b + 1);
    block->layers = calloc(n, sizeof *block->layers);
    if (block->layers == NULL)
        return status_no_memory(w->err, "a block", n * sizeof *block->layers);
    block->n_layers = n;
    enum vp_status status = VP_OK;
    for (size_t i = n; i-- > 0 && status == VP_OK;)
        status = take_appended(w, value, campplus_dilation(b), &block->layers[i]);
    return status;
}

/* ---- the parts ------------------------------------------------------------------------------
 */

/* The last convolution and the norm behind it; *value, the embedding, becomes the statistics. Where
 * the norm comes behind a change of shape, the two are taken one by one. */
static enum vp_status take_last(const struct walk *w, size_t *value)
{
    struct net_conv1d conv = {0};
    struct onnx_node *norm = onnx_producer(w->graph, *value);
    const bool is_norm = onnx_walk_is(norm, "BatchNormalization") && norm->n_inputs > 0;
    const size_t flat = is_norm ? onnx_walk_source(w->graph, norm->inputs[0]) : *value;
    size_t given = flat;
    while (onnx_campplus_probe_reshapes(onnx_producer(w->graph, given)))
        given = onnx_walk_source(w->graph, onnx_producer(w->graph, given)->inputs[0]);
    *value = given;
    enum vp_status status = onnx_conv1d_take(w->graph, value, &pointwise, &conv, w->err);
    w->net->dim = conv.n_out;
    if (status == VP_OK && given != flat)
        status = onnx_campplus_probe_flat(w->graph, conv.n_out, given, flat, w->err);
    if (status == VP_OK && is_norm)
        status = onnx_conv1d_fold(w->graph, norm, &conv, w->err);
    w->net->fc_weight = conv.weight;
    w->net->fc_bias = conv.bias;
    return status;
}

/* From the statistics' ReLU back to the rows that tdnn reads. */
static enum vp_status take_blocks(const struct walk *w, size_t *value)
{
    struct campplus_net *campplus = w->net->campplus;
    const struct onnx_conv1d_shape tdnn = {
        .n_taps = CAMPPLUS_TDNN_TAPS, .stride = 2, .dilation = 1};
    enum vp_status status = VP_OK;
    for (size_t b = CAMPPLUS_N_BLOCKS; b-- > 0 && status == VP_OK;) {
        struct net_conv1d *transit = &campplus->blocks[b].transit;
        status = b == CAMPPLUS_N_BLOCKS - 1
                     ? take_with_relu(w, value, &pointwise, transit)
                     : onnx_conv1d_take(w->graph, value, &pointwise, transit, w->err);
        if (status == VP_OK)
            status = onnx_conv1d_norm_before(w->graph, value, transit, w->err);
        if (status == VP_OK)
            status = take_block(w, value, b);
    }
    return status == VP_OK ? take_with_relu(w, value, &tdnn, &campplus->tdnn) : status;
}

/* The head, whose last ReLU gives value. */
static enum vp_status take_head(const struct walk *w, size_t value, size_t *features)
{
    enum vp_status status = onnx_walk_back(w->graph, &value, "Relu", "", 1, w->err);
    struct net_block *last = net_stage_add(&w->net->stages[N_HEAD_STAGES]);
    if (last == NULL)
        return status_no_memory(w->err, "a block", sizeof *last);
    last->n_convs = 1;
    const size_t before = onnx_conv_input(w->graph, value);
    if (status == VP_OK)
        status = onnx_conv_take(w->graph, value, &last->convs[0], w->err);
    if (status == VP_OK)
        status =
            onnx_residual_bind(w->graph, before, true, N_HEAD_STAGES, w->net, features, w->err);
    return status;
}

/* What lies between the parts. Shapes agree: the probes are sized by them. */
static enum vp_status probe(const struct walk *w, size_t features, size_t head, size_t rows,
                            size_t body, size_t pooled)
{
    const struct net *net = w->net;
    enum vp_status status = onnx_probe_features(w->graph, net, features, w->err);
    if (status == VP_OK)
        status = onnx_campplus_probe_rows(w->graph, net, head, rows, w->err);
    if (status != VP_OK)
        return status;
    const struct onnx_probe_body shape = {
        .n_channels = net->campplus->blocks[CAMPPLUS_N_BLOCKS - 1].transit.n_out,
        .n_freq = 0,
        .rate = 2,
    };
    return onnx_probe_statistics(w->graph, net->n_mels, &shape, body, pooled, w->err);
}

enum vp_status onnx_campplus_bind(struct onnx_graph *graph, struct net *net, struct vp_err *err)
{
    const struct walk w = {.graph = graph, .net = net, .err = err};
    size_t pooled = graph->output, body = ONNX_NONE, rows, head = ONNX_NONE, features = ONNX_NONE;
    const struct tensor *mean_vec = NULL;
    net->campplus = calloc(1, sizeof *net->campplus);
    if (net->campplus == NULL)
        return status_no_memory(err, "the network", sizeof *net->campplus);
    enum vp_status status = onnx_head_mean(graph, &pooled, &mean_vec, err);
    if (status == VP_OK)
        status = take_last(&w, &pooled);
    if (status == VP_OK && mean_vec != NULL)
        status = onnx_head_vector(mean_vec, net->dim, &net->mean_vec, err);
    if (status == VP_OK)
        status = onnx_probe_find(graph, pooled, &body, err);
    rows = body;
    if (status == VP_OK)
        status = take_blocks(&w, &rows);
    if (status == VP_OK)
        status = onnx_probe_find(graph, rows, &head, err);
    if (status == VP_OK)
        status = take_head(&w, head, &features);
    if (status == VP_OK)
        status = net_check(net, err);
    if (status == VP_OK)
        status = probe(&w, features, head, rows, body, pooled);
    return status != VP_OK ? status : onnx_walk_all_used(graph, err);
}
