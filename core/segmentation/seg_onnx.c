/* The segmentation network, walked from its output. */
#include "segmentation/seg_onnx.h"

#include "loader/onnx/onnx_walk.h"
#include "segmentation/seg_probe.h"

#include <math.h>
#include <string.h>

#define NORM_EPS 1e-5

/* Constants and values of the graph, found before anything is allocated. */
struct parts {
    struct onnx_graph *graph;
    struct vp_err *err;
    const struct tensor *low_hz, *band_hz;
    const struct tensor *wav[2], *norms[SEG_N_NORMS][2]; /* weight, bias */
    const struct tensor *convs[SEG_N_CONVS][2];
    const struct tensor *lstm[SEG_MOST_LAYERS][3]; /* W, R, B; the last layer first */
    const struct onnx_node *lstm_nodes[SEG_MOST_LAYERS];
    const struct tensor *linears[SEG_N_LINEARS][2];
    size_t n_layers;
    size_t conv_out, linear_in; /* values */
};

static enum vp_status refuse(const struct parts *p, const struct onnx_node *node, const char *why)
{
    return status_fail(p->err, VP_ERR_MODEL, "ONNX: node '%.80s' (%.40s) %s", node->name, node->op,
                       why);
}

/* ---- nodes -------------------------------------------------------------------------------- */

/* The node of that kind behind *value; *value becomes what it reads first. */
static enum vp_status step_back(const struct parts *p, size_t *value, const char *op,
                                const char *attributes, size_t n_inputs, struct onnx_node **out)
{
    struct onnx_node *node = NULL;
    enum vp_status status =
        onnx_walk_expect(p->graph, onnx_walk_source(p->graph, *value), op, &node, p->err);
    if (status == VP_OK)
        status = onnx_walk_use(node, attributes, n_inputs, n_inputs, p->err);
    if (status != VP_OK)
        return status;
    *value = node->inputs[0];
    *out = node;
    return VP_OK;
}

static enum vp_status constant_input(const struct parts *p, const struct onnx_node *node, size_t i,
                                     const struct tensor **out)
{
    *out = onnx_walk_constant(p->graph, node->inputs[i]);
    return *out != NULL ? VP_OK : refuse(p, node, "reads weights that are no constant");
}

/* Is the attribute a list of one number, or left out? */
static bool is_one_int(const struct onnx_node *node, const char *name, int64_t wanted,
                       bool may_lack)
{
    const struct onnx_attribute *a = onnx_attribute(node, name);
    if (a == NULL)
        return may_lack;
    return a->kind == ONNX_ATTRIBUTE_INTS && a->n_values == 1 && a->integers[0] == wanted;
}

static bool is_int(const struct onnx_node *node, const char *name, int64_t wanted, int64_t fallback)
{
    int64_t found;
    return onnx_attribute_int(node, name, fallback, &found) && found == wanted;
}

/* No padding, no dilation, of that size and stride. */
static bool has_geometry(const struct onnx_node *node, int64_t kernel, int64_t stride)
{
    const struct onnx_attribute *pads = onnx_attribute(node, "pads");
    bool padded = pads != NULL && (pads->kind != ONNX_ATTRIBUTE_INTS || pads->n_values != 2);
    for (size_t i = 0; pads != NULL && !padded && i < 2; i++)
        padded = pads->integers[i] != 0;
    const struct onnx_attribute *mode = onnx_attribute(node, "auto_pad");
    if (mode != NULL && (mode->kind != ONNX_ATTRIBUTE_STRING ||
                         (strcmp(mode->text, "NOTSET") != 0 && strcmp(mode->text, "VALID") != 0)))
        return false;
    return !padded && is_one_int(node, "kernel_shape", kernel, true) &&
           is_one_int(node, "strides", stride, stride == 1) &&
           is_one_int(node, "dilations", 1, true) && is_int(node, "group", 1, 1) &&
           is_int(node, "ceil_mode", 0, 0);
}

static enum vp_status leaky_relu(const struct parts *p, size_t *value)
{
    struct onnx_node *node = NULL;
    const enum vp_status status = step_back(p, value, "LeakyRelu", "alpha", 1, &node);
    if (status != VP_OK)
        return status;
    const struct onnx_attribute *alpha = onnx_attribute(node, "alpha");
    if (alpha != NULL &&
        (alpha->kind != ONNX_ATTRIBUTE_FLOAT || !(fabs(alpha->number - 0.01) < 1e-6)))
        return refuse(p, node, "has another slope than 0.01");
    return VP_OK;
}

static enum vp_status instance_norm(const struct parts *p, size_t *value,
                                    const struct tensor *out[2])
{
    struct onnx_node *node = NULL;
    enum vp_status status = step_back(p, value, "InstanceNormalization", "epsilon", 3, &node);
    for (size_t i = 0; i < 2 && status == VP_OK; i++)
        status = constant_input(p, node, i + 1, &out[i]);
    if (status != VP_OK)
        return status;
    const struct onnx_attribute *epsilon = onnx_attribute(node, "epsilon");
    if (epsilon != NULL &&
        (epsilon->kind != ONNX_ATTRIBUTE_FLOAT || !(fabs(epsilon->number - NORM_EPS) < 1e-9)))
        return refuse(p, node, "has another epsilon than 1e-5");
    return VP_OK;
}

/* ---- stretches ---------------------------------------------------------------------------- */

/* x W + b, either operand of the sum first. */
static enum vp_status linear(const struct parts *p, size_t *value, const struct tensor *out[2])
{
    struct onnx_node *add = NULL, *product = NULL;
    size_t sum = *value;
    enum vp_status status = step_back(p, &sum, "Add", "", 2, &add);
    if (status != VP_OK)
        return status;
    const bool bias_first = onnx_walk_constant(p->graph, add->inputs[0]) != NULL;
    status = constant_input(p, add, bias_first ? 0 : 1, &out[1]);
    *value = add->inputs[bias_first ? 1 : 0];
    if (status == VP_OK)
        status = step_back(p, value, "MatMul", "", 2, &product);
    return status == VP_OK ? constant_input(p, product, 1, &out[0]) : status;
}

/* From the output back to what the first linear layer reads. */
static enum vp_status find_linears(struct parts *p)
{
    struct onnx_node *softmax = NULL;
    size_t value = p->graph->output;
    enum vp_status status = step_back(p, &value, "LogSoftmax", "axis", 1, &softmax);
    if (status == VP_OK && !is_int(softmax, "axis", -1, -1) && !is_int(softmax, "axis", 2, -1))
        status = refuse(p, softmax, "is not over the classes");
    for (size_t i = SEG_N_LINEARS; i-- > 0 && status == VP_OK;) {
        if (i < SEG_N_LINEARS - 1)
            status = leaky_relu(p, &value);
        if (status == VP_OK)
            status = linear(p, &value, p->linears[i]);
    }
    p->linear_in = value;
    return status;
}

static enum vp_status take_lstm(struct parts *p, struct onnx_node *node)
{
    const struct onnx_attribute *direction = onnx_attribute(node, "direction");
    node->used = true;
    if (node->n_inputs < 4 || node->n_inputs > 7 ||
        (node->n_inputs > 4 && node->inputs[4] != ONNX_NONE))
        return refuse(p, node, "has inputs beyond weights and initial states");
    if (direction == NULL || direction->kind != ONNX_ATTRIBUTE_STRING ||
        strcmp(direction->text, "bidirectional") != 0 || !is_int(node, "layout", 0, 0) ||
        !is_int(node, "input_forget", 0, 0))
        return refuse(p, node, "does not run in both directions, time first, with four gates");
    for (size_t i = 0; i < node->n_attributes; i++) {
        const char *name = node->attributes[i].name;
        if (strcmp(name, "direction") != 0 && strcmp(name, "hidden_size") != 0 &&
            strcmp(name, "layout") != 0 && strcmp(name, "input_forget") != 0)
            return refuse(p, node, "has attributes that change what it computes");
    }
    if (p->n_layers == SEG_MOST_LAYERS)
        return refuse(p, node, "is one layer too many");
    enum vp_status status = VP_OK;
    for (size_t i = 0; i < 3 && status == VP_OK; i++)
        status = constant_input(p, node, i + 1, &p->lstm[p->n_layers][i]);
    p->lstm_nodes[p->n_layers++] = node;
    return status;
}

/* Back through reshaping to the next node of either kind, along first inputs. */
static struct onnx_node *next_layer(const struct parts *p, size_t value)
{
    struct onnx_node *node = onnx_producer(p->graph, value);
    while (node != NULL && !onnx_walk_is(node, "LSTM") && !onnx_walk_is(node, "LeakyRelu"))
        node = node->n_inputs > 0 ? onnx_producer(p->graph, node->inputs[0]) : NULL;
    return node;
}

static enum vp_status find_lstm(struct parts *p)
{
    struct onnx_node *node = next_layer(p, p->linear_in);
    enum vp_status status = VP_OK;
    while (status == VP_OK && onnx_walk_is(node, "LSTM")) {
        status = take_lstm(p, node);
        node = next_layer(p, node->inputs[0]);
    }
    if (status == VP_OK && (p->n_layers == 0 || node == NULL))
        status = status_fail(p->err, VP_ERR_MODEL,
                             "ONNX: between linear layers and convolutions there is no LSTM");
    if (status == VP_OK)
        p->conv_out = node->outputs[0];
    return status;
}

/* One round, i = 2, 1, 0: convolution, pool, norm, leaky ReLU. */
static enum vp_status find_round(struct parts *p, size_t i, size_t *value)
{
    struct onnx_node *node = NULL;
    enum vp_status status = leaky_relu(p, value);
    if (status == VP_OK)
        status = instance_norm(p, value, p->norms[i]);
    if (status == VP_OK)
        status = step_back(p, value, "MaxPool",
                           "auto_pad ceil_mode dilations kernel_shape pads strides storage_order",
                           1, &node);
    if (status == VP_OK && !has_geometry(node, SEG_POOL, SEG_POOL))
        status = refuse(p, node, "does not make one of three frames");
    if (status == VP_OK && i == 0)
        status = step_back(p, value, "Abs", "", 1, &node);
    if (status == VP_OK)
        status = step_back(p, value, "Conv", "auto_pad dilations group kernel_shape pads strides",
                           i == 0 ? 2 : 3, &node);
    if (status == VP_OK &&
        !has_geometry(node, i == 0 ? SEG_TAPS : SEG_KERNEL, i == 0 ? SEG_STRIDE : 1))
        status = refuse(p, node, "has another size or stride than this network's");
    if (status != VP_OK || i == 0)
        return status != VP_OK
                   ? status
                   : seg_probe_sinc(p->graph, node->inputs[1], &p->low_hz, &p->band_hz, p->err);
    status = constant_input(p, node, 1, &p->convs[i - 1][0]);
    return status == VP_OK ? constant_input(p, node, 2, &p->convs[i - 1][1]) : status;
}

static enum vp_status find_convs(struct parts *p)
{
    size_t value = p->conv_out;
    enum vp_status status = VP_OK;
    for (size_t i = SEG_N_NORMS; i-- > 0 && status == VP_OK;)
        status = find_round(p, i, &value);
    if (status == VP_OK)
        status = instance_norm(p, &value, p->wav);
    if (status == VP_OK && onnx_walk_source(p->graph, value) != p->graph->input)
        status = status_fail(p->err, VP_ERR_MODEL,
                             "ONNX: '%.80s' stands between the samples and their norm",
                             p->graph->values[value].name);
    return status;
}

/* ---- numbers ------------------------------------------------------------------------------ */

static enum vp_status read_shaped(const struct parts *p, const struct tensor *tensor,
                                  const size_t *shape, size_t n_dims, float *out)
{
    const enum vp_status status = tensor_check_shape(tensor, shape, n_dims, p->err);
    return status != VP_OK ? status : tensor_read_floats(tensor, out, p->err);
}

/* ONNX's gates i o f c -> i f g o, both directions of a layer, the two biases summed. */
static enum vp_status read_lstm(const struct parts *p, struct seg_net *net, size_t layer)
{
    static const size_t file_gate[4] = {0, 2, 3, 1};
    const struct tensor *const *from = p->lstm[p->n_layers - 1 - layer];
    const size_t H = net->n_hidden, n_in = seg_net_lstm_n_in(net, layer);
    const size_t shapes[3][3] = {{2, 4 * H, n_in}, {2, 4 * H, H}, {2, 8 * H, 0}};
    float *values[3];
    enum vp_status status = VP_OK;
    for (size_t i = 0; i < 3 && status == VP_OK; i++) {
        values[i] = pool_alloc(&p->graph->pool, from[i]->n_values, sizeof(float));
        status = values[i] != NULL
                     ? read_shaped(p, from[i], shapes[i], i < 2 ? 3 : 2, values[i])
                     : status_no_memory(p->err, "weights", from[i]->n_values * sizeof(float));
    }
    for (size_t d = 0; d < 2 && status == VP_OK; d++)
        for (size_t gate = 0; gate < 4; gate++)
            for (size_t u = 0; u < H; u++) {
                struct seg_lstm *to = &net->lstm[layer][d];
                const size_t row = gate * H + u, file_row = file_gate[gate] * H + u;
                memcpy(to->w_in + row * n_in, values[0] + (d * 4 * H + file_row) * n_in,
                       n_in * sizeof(float));
                memcpy(to->w_back + row * H, values[1] + (d * 4 * H + file_row) * H,
                       H * sizeof(float));
                to->bias[row] =
                    values[2][d * 8 * H + file_row] + values[2][d * 8 * H + 4 * H + file_row];
            }
    return status;
}

/* The file's [n_in, n_out] -> [n_out, n_in]. */
static enum vp_status read_linear(const struct parts *p, const struct tensor *const from[2],
                                  struct seg_linear *to)
{
    const size_t shape[] = {to->n_in, to->n_out};
    float *turned = pool_alloc(&p->graph->pool, to->n_in * to->n_out, sizeof *turned);
    if (turned == NULL)
        return status_no_memory(p->err, "weights", to->n_in * to->n_out * sizeof *turned);
    enum vp_status status = read_shaped(p, from[0], shape, 2, turned);
    for (size_t o = 0; o < to->n_out && status == VP_OK; o++)
        for (size_t c = 0; c < to->n_in; c++)
            to->weight[o * to->n_in + c] = turned[c * to->n_out + o];
    return status != VP_OK ? status : read_shaped(p, from[1], &to->n_out, 1, to->bias);
}

static enum vp_status read_sincnet(const struct parts *p, struct seg_net *net)
{
    const size_t one = 1, pair[] = {net->n_filters / 2, 1};
    enum vp_status status = read_shaped(p, p->wav[0], &one, 1, &net->wav_weight);
    if (status == VP_OK)
        status = read_shaped(p, p->wav[1], &one, 1, &net->wav_bias);
    if (status == VP_OK)
        status = read_shaped(p, p->low_hz, pair, 2, net->low_hz);
    if (status == VP_OK)
        status = read_shaped(p, p->band_hz, pair, 2, net->band_hz);
    for (size_t i = 0; i < SEG_N_NORMS && status == VP_OK; i++) {
        const size_t n = i == 0 ? net->n_filters : net->n_channels;
        status = read_shaped(p, p->norms[i][0], &n, 1, net->norms[i].weight);
        if (status == VP_OK)
            status = read_shaped(p, p->norms[i][1], &n, 1, net->norms[i].bias);
    }
    for (size_t i = 0; i < SEG_N_CONVS && status == VP_OK; i++) {
        const struct seg_linear *conv = &net->convs[i];
        const size_t shape[] = {conv->n_out, conv->n_in, SEG_KERNEL};
        status = read_shaped(p, p->convs[i][0], shape, 3, conv->weight);
        if (status == VP_OK)
            status = read_shaped(p, p->convs[i][1], &conv->n_out, 1, conv->bias);
    }
    return status;
}

static enum vp_status read_all(const struct parts *p, struct seg_net *net)
{
    const struct tensor *back = p->lstm[0][1];
    net->n_filters = 2 * p->low_hz->dims[0];
    net->n_channels = p->convs[0][0]->n_dims > 0 ? p->convs[0][0]->dims[0] : 0;
    net->n_hidden = back->n_dims == 3 ? back->dims[2] : 0;
    net->n_linear = p->linears[0][0]->n_dims == 2 ? p->linears[0][0]->dims[1] : 0;
    net->n_layers = p->n_layers;
    enum vp_status status = seg_net_alloc(net, p->err);
    if (status == VP_OK)
        status = read_sincnet(p, net);
    for (size_t i = 0; i < net->n_layers && status == VP_OK; i++)
        status = read_lstm(p, net, i);
    for (size_t i = 0; i < SEG_N_LINEARS && status == VP_OK; i++)
        status = read_linear(p, p->linears[i], &net->linears[i]);
    return status;
}

/* ---- everything --------------------------------------------------------------------------- */

/* What lies between the layers, once the widths are known. */
static enum vp_status check_between(const struct parts *p, const struct seg_net *net)
{
    const struct onnx_node *first = p->lstm_nodes[p->n_layers - 1], *last = p->lstm_nodes[0];
    const size_t H = net->n_hidden;
    enum vp_status status = seg_probe_order(p->graph, p->conv_out, SEG_ORDER_NCT, first->inputs[0],
                                            SEG_ORDER_TNC, net->n_channels, p->err);
    for (size_t i = 1; i < p->n_layers && status == VP_OK; i++)
        status = seg_probe_order(p->graph, p->lstm_nodes[i]->outputs[0], SEG_ORDER_TDNC,
                                 p->lstm_nodes[i - 1]->inputs[0], SEG_ORDER_TNC, H, p->err);
    if (status == VP_OK)
        status = seg_probe_order(p->graph, last->outputs[0], SEG_ORDER_TDNC, p->linear_in,
                                 SEG_ORDER_NTC, H, p->err);
    for (size_t i = 0; i < p->n_layers; i++)
        for (size_t k = 5; k < p->lstm_nodes[i]->n_inputs && status == VP_OK; k++)
            if (p->lstm_nodes[i]->inputs[k] != ONNX_NONE)
                status = seg_probe_zeros(p->graph, p->lstm_nodes[i]->inputs[k], p->conv_out,
                                         net->n_channels, p->err);
    return status;
}

static enum vp_status check_operators(const struct parts *p)
{
    for (size_t i = 0; i < p->graph->n_nodes; i++) {
        const struct onnx_node *node = &p->graph->nodes[i];
        if (strstr(node->op, "Integer") != NULL || strstr(node->op, "Quantize") != NULL)
            return refuse(p, node, "is of a quantized (int8) export; take the float32 model.onnx");
    }
    return VP_OK;
}

enum vp_status seg_onnx_bind(struct onnx_graph *graph, struct seg_net *net, struct vp_err *err)
{
    struct parts parts = {.graph = graph, .err = err};
    enum vp_status status = check_operators(&parts);
    if (status == VP_OK)
        status = find_linears(&parts);
    if (status == VP_OK)
        status = find_lstm(&parts);
    if (status == VP_OK)
        status = find_convs(&parts);
    if (status == VP_OK)
        status = read_all(&parts, net);
    if (status == VP_OK)
        status = check_between(&parts, net);
    return status != VP_OK ? status : onnx_walk_all_used(graph, err);
}
