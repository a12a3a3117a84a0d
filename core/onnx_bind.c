/* The network, walked from its output. */
#include "onnx_bind.h"

#include "onnx_conv.h"
#include "onnx_probe.h"

#include <stdlib.h>
#include <string.h>

struct binder {
    struct onnx_graph *graph;
    struct net *net;
    struct vp_err *err;
};

static bool is_op(const struct onnx_node *node, const char *op)
{
    return node != NULL && strcmp(node->op, op) == 0;
}

/* The node that gives value, if it is of that kind; else a sentence that says what was needed. */
static enum vp_status expect(const struct binder *b, size_t value, const char *op,
                             struct onnx_node **out)
{
    *out = onnx_producer(b->graph, value);
    if (is_op(*out, op))
        return VP_OK;
    return status_fail(b->err, VP_ERR_MODEL, "ONNX: '%.80s' is given by %.40s where %s is needed",
                       b->graph->values[value].name, *out != NULL ? (*out)->op : "no node", op);
}

/* ---- embs <- mean_vec <- fully connected -------------------------------------------------- */

static enum vp_status take_floats(const struct binder *b, const struct tensor *tensor, float **out)
{
    *out = malloc(tensor->n_values * sizeof **out);
    if (*out == NULL)
        return status_no_memory(b->err, "weights", tensor->n_values * sizeof **out);
    return tensor_read_floats(tensor, *out, b->err);
}

/* [dim], or [1, dim]: the batch of one is no matter. */
static enum vp_status take_vector(const struct binder *b, const struct tensor *tensor, float **out)
{
    const size_t dims[] = {1, b->net->dim};
    enum vp_status status = tensor->n_dims == 2 ? tensor_check_shape(tensor, dims, 2, b->err)
                                                : tensor_check_shape(tensor, dims + 1, 1, b->err);
    return status != VP_OK ? status : take_floats(b, tensor, out);
}

/* weight: [dim, rows], or [rows, dim] when is_transposed -> fc_weight [dim, rows] */
static enum vp_status take_fc_weight(const struct binder *b, const struct tensor *weight,
                                     bool is_transposed)
{
    struct net *net = b->net;
    if (weight->n_dims != 2 || weight->n_values == 0)
        return status_fail(b->err, VP_ERR_MODEL, "ONNX: tensor '%.100s' is no matrix",
                           weight->name);
    size_t rows = weight->dims[is_transposed ? 0 : 1];
    net->dim = weight->dims[is_transposed ? 1 : 0];
    float *values = NULL;
    enum vp_status status = take_floats(b, weight, &values);
    if (status != VP_OK || !is_transposed) {
        net->fc_weight = values;
        return status;
    }
    net->fc_weight = malloc(weight->n_values * sizeof *net->fc_weight);
    if (net->fc_weight == NULL)
        status = status_no_memory(b->err, "weights", weight->n_values * sizeof *values);
    for (size_t r = 0; r < rows && status == VP_OK; r++)
        for (size_t d = 0; d < net->dim; d++)
            net->fc_weight[d * rows + r] = values[r * net->dim + d];
    free(values);
    return status;
}

/* The matrix of a fully connected layer, itself or through a Transpose node. */
static enum vp_status take_matrix(const struct binder *b, const struct onnx_node *reader,
                                  size_t value, bool is_transposed)
{
    struct onnx_node *node = onnx_producer(b->graph, onnx_source(b->graph, value));
    if (is_op(node, "Transpose")) {
        const struct onnx_attribute *perm = onnx_attribute(node, "perm");
        enum vp_status status = onnx_node_use(node, "perm", 1, 1, b->err);
        if (status != VP_OK)
            return status;
        bool swaps = perm == NULL || (perm->kind == ONNX_ATTRIBUTE_INTS && perm->n_values == 2 &&
                                      perm->integers[0] == 1 && perm->integers[1] == 0);
        is_transposed ^= swaps;
        value = node->inputs[0];
    }
    const struct tensor *weight = onnx_constant(b->graph, value);
    if (weight == NULL)
        return status_fail(b->err, VP_ERR_MODEL,
                           "ONNX: node '%.80s' (%.40s): its matrix is no constant", reader->name,
                           reader->op);
    return take_fc_weight(b, weight, is_transposed);
}

static enum vp_status take_fc_bias(const struct binder *b, const struct onnx_node *reader,
                                   size_t value)
{
    const struct tensor *bias = onnx_constant(b->graph, value);
    if (bias == NULL)
        return status_fail(b->err, VP_ERR_MODEL,
                           "ONNX: node '%.80s' (%.40s): its bias is no constant", reader->name,
                           reader->op);
    return take_vector(b, bias, &b->net->fc_bias);
}

static enum vp_status take_gemm(const struct binder *b, struct onnx_node *gemm, size_t *pooled)
{
    enum vp_status status = onnx_node_use(gemm, "alpha beta transA transB", 3, 3, b->err);
    if (status != VP_OK)
        return status;
    const struct onnx_attribute *alpha = onnx_attribute(gemm, "alpha");
    const struct onnx_attribute *beta = onnx_attribute(gemm, "beta");
    int64_t trans_a, trans_b;
    /* A factor of exactly 1 is the only one that needs no arithmetic to explain. */
    bool plain = (alpha == NULL || (alpha->kind == ONNX_ATTRIBUTE_FLOAT && alpha->number == 1.0)) &&
                 (beta == NULL || (beta->kind == ONNX_ATTRIBUTE_FLOAT && beta->number == 1.0)) &&
                 onnx_attribute_int(gemm, "transA", 0, &trans_a) && trans_a == 0 &&
                 onnx_attribute_int(gemm, "transB", 0, &trans_b) && (trans_b == 0 || trans_b == 1);
    if (!plain)
        return status_fail(b->err, VP_ERR_MODEL,
                           "ONNX: node '%.100s' (Gemm): alpha and beta must be 1, transA 0",
                           gemm->name);
    *pooled = gemm->inputs[0];
    status = take_matrix(b, gemm, gemm->inputs[1], trans_b == 0);
    return status != VP_OK ? status : take_fc_bias(b, gemm, gemm->inputs[2]);
}

/* Add(MatMul(pooled, matrix), bias), the operands of Add in either order. */
static enum vp_status take_matmul(const struct binder *b, struct onnx_node *add, size_t *pooled)
{
    enum vp_status status = onnx_node_use(add, "", 2, 2, b->err);
    if (status != VP_OK)
        return status;
    size_t product = onnx_source(b->graph, add->inputs[0]);
    size_t bias = add->inputs[1];
    if (!is_op(onnx_producer(b->graph, product), "MatMul")) {
        product = onnx_source(b->graph, add->inputs[1]);
        bias = add->inputs[0];
    }
    struct onnx_node *matmul = NULL;
    status = expect(b, product, "MatMul", &matmul);
    if (status == VP_OK)
        status = onnx_node_use(matmul, "", 2, 2, b->err);
    if (status != VP_OK)
        return status;
    *pooled = matmul->inputs[0];
    status = take_matrix(b, matmul, matmul->inputs[1], true);
    return status != VP_OK ? status : take_fc_bias(b, add, bias);
}

/* -> *pooled, the value of the statistics */
static enum vp_status bind_head(const struct binder *b, size_t *pooled)
{
    size_t value = onnx_source(b->graph, b->graph->output);
    struct onnx_node *node = onnx_producer(b->graph, value);
    const struct tensor *mean_vec = NULL;
    if (is_op(node, "Sub")) {
        enum vp_status status = onnx_node_use(node, "", 2, 2, b->err);
        if (status != VP_OK)
            return status;
        mean_vec = onnx_constant(b->graph, node->inputs[1]);
        if (mean_vec == NULL)
            return status_fail(b->err, VP_ERR_MODEL,
                               "ONNX: node '%.100s' (Sub) subtracts no constant from the embedding",
                               node->name);
        value = onnx_source(b->graph, node->inputs[0]);
        node = onnx_producer(b->graph, value);
    }
    enum vp_status status = VP_OK;
    if (is_op(node, "Add"))
        status = take_matmul(b, node, pooled);
    else if ((status = expect(b, value, "Gemm", &node)) == VP_OK)
        status = take_gemm(b, node, pooled);
    return status == VP_OK && mean_vec != NULL ? take_vector(b, mean_vec, &b->net->mean_vec)
                                               : status;
}

/* ---- blocks ------------------------------------------------------------------------------- */

/* Convolutions of a main branch from `input` to `value`, ReLUs between: 2 or 3, 0 when it is none.
 * values [3] receives what each gives, the first one first. */
static size_t trace_branch(const struct binder *b, size_t value, size_t input, size_t values[3])
{
    size_t found[3];
    for (size_t n = 0; n < 3; n++) {
        found[n] = value;
        size_t before = onnx_conv_input(b->graph, value);
        if (before == ONNX_NONE)
            return 0;
        if (before == input && n > 0) {
            for (size_t i = 0; i <= n; i++)
                values[i] = found[n - i];
            return n + 1;
        }
        const struct onnx_node *relu = onnx_producer(b->graph, before);
        if (!is_op(relu, "Relu") || relu->n_inputs != 1)
            return 0;
        value = onnx_source(b->graph, relu->inputs[0]);
    }
    return 0;
}

static enum vp_status use_relu(const struct binder *b, size_t value, struct onnx_node **out)
{
    enum vp_status status = expect(b, value, "Relu", out);
    return status != VP_OK ? status : onnx_node_use(*out, "", 1, 1, b->err);
}

/* Takes the convolutions of one block, once its structure is known. */
static enum vp_status take_block(const struct binder *b, struct net_block *block,
                                 const size_t values[3], size_t shortcut)
{
    for (size_t i = 0; i < block->n_convs; i++) {
        enum vp_status status = onnx_conv_take(b->graph, values[i], &block->convs[i], b->err);
        struct onnx_node *relu;
        if (status == VP_OK && i > 0)
            status = use_relu(b, onnx_conv_input(b->graph, values[i]), &relu);
        if (status != VP_OK)
            return status;
    }
    return block->has_shortcut ? onnx_conv_take(b->graph, shortcut, &block->shortcut, b->err)
                               : VP_OK;
}

/* The block that add closes. Which operand is the shortcut, and whether it is the block's input or
 * a convolution of it, is tried: only one way can lead both branches to one value. */
static enum vp_status bind_block(const struct binder *b, struct onnx_node *add,
                                 struct net_block *block, size_t *input)
{
    enum vp_status status = onnx_node_use(add, "", 2, 2, b->err);
    if (status != VP_OK)
        return status;
    const size_t operands[2] = {onnx_source(b->graph, add->inputs[0]),
                                onnx_source(b->graph, add->inputs[1])};
    for (size_t i = 0; i < 2; i++) {
        size_t shortcut = operands[i], main = operands[1 - i], values[3];
        const size_t inputs[2] = {shortcut, onnx_conv_input(b->graph, shortcut)};
        for (size_t j = 0; j < 2; j++) {
            size_t n_convs = inputs[j] != ONNX_NONE ? trace_branch(b, main, inputs[j], values) : 0;
            if (n_convs == 0)
                continue;
            block->n_convs = n_convs;
            block->has_shortcut = j == 1;
            *input = inputs[j];
            return take_block(b, block, values, shortcut);
        }
    }
    return status_fail(b->err, VP_ERR_MODEL,
                       "ONNX: node '%.100s' (Add) closes no residual block of 2 or 3 convolutions",
                       add->name);
}

/* From the last ReLU back to the first convolution; blocks are found last one first. */
static enum vp_status bind_body(const struct binder *b, size_t value, struct net_stage *blocks,
                                size_t *head)
{
    for (;;) {
        struct onnx_node *relu = NULL;
        enum vp_status status = use_relu(b, value, &relu);
        if (status != VP_OK)
            return status;
        size_t sum = onnx_source(b->graph, relu->inputs[0]);
        struct onnx_node *add = onnx_producer(b->graph, sum);
        if (!is_op(add, "Add")) {
            *head = onnx_conv_input(b->graph, sum);
            return onnx_conv_take(b->graph, sum, &b->net->stem, b->err);
        }
        struct net_block *block = net_stage_add(blocks);
        if (block == NULL)
            return status_no_memory(b->err, "a block", sizeof *block);
        status = bind_block(b, add, block, &value);
        if (status != VP_OK)
            return status;
    }
}

static bool halves(const struct net_block *block)
{
    return block->convs[block->n_convs - 2].stride == 2; /* the first 3x3 of either kind */
}

/* Deals the blocks, first one last, to the stages: each after the first begins where the rate
 * halves. Takes what is in blocks. */
static enum vp_status deal_blocks(const struct binder *b, struct net_stage *blocks)
{
    size_t s = 0;
    while (blocks->n_blocks > 0) {
        const struct net_block *first = &blocks->blocks[blocks->n_blocks - 1];
        s += halves(first);
        if (s == VP_MAX_STAGES)
            break;
        struct net_block *block = net_stage_add(&b->net->stages[s]);
        if (block == NULL)
            return status_no_memory(b->err, "a block", sizeof *block);
        *block = *first;
        blocks->n_blocks--;
    }
    if (s == VP_MAX_STAGES - 1)
        return VP_OK;
    return status_fail(b->err, VP_ERR_MODEL,
                       "ONNX: %s blocks halve the rate; a ResNet of this family has three such",
                       s == VP_MAX_STAGES ? "more than three" : "fewer than three");
}

/* ---- everything --------------------------------------------------------------------------- */

static enum vp_status check_all_used(const struct binder *b)
{
    for (size_t i = 0; i < b->graph->n_nodes; i++)
        if (!b->graph->nodes[i].used)
            return status_fail(b->err, VP_ERR_MODEL,
                               "ONNX: node '%.80s' (%.40s) has no place in the network",
                               b->graph->nodes[i].name, b->graph->nodes[i].op);
    for (size_t i = 0; i < b->graph->n_tensors; i++)
        if (!b->graph->tensors[i].used)
            return status_fail(b->err, VP_ERR_MODEL,
                               "ONNX: tensor '%.100s' has no place in the network",
                               b->graph->tensors[i].name);
    return VP_OK;
}

static enum vp_status bind_blocks(const struct binder *b, size_t body, size_t *head)
{
    struct net_stage blocks = {0};
    enum vp_status status = bind_body(b, body, &blocks, head);
    if (status == VP_OK)
        status = deal_blocks(b, &blocks);
    for (size_t i = 0; i < blocks.n_blocks; i++)
        net_block_clear(&blocks.blocks[i]);
    free(blocks.blocks);
    return status;
}

enum vp_status onnx_bind(struct onnx_graph *graph, struct net *net, struct vp_err *err)
{
    const struct binder b = {.graph = graph, .net = net, .err = err};
    size_t pooled = ONNX_NONE, body = ONNX_NONE, head = ONNX_NONE;
    enum vp_status status = bind_head(&b, &pooled);
    if (status == VP_OK)
        status = onnx_probe_find(graph, pooled, &body, err);
    if (status == VP_OK)
        status = bind_blocks(&b, body, &head);
    if (status == VP_OK)
        status = net_check(net, err); /* before the probes: they are sized by it */
    if (status == VP_OK)
        status = onnx_probe_features(graph, net, head, err);
    if (status == VP_OK)
        status = onnx_probe_statistics(graph, net, body, pooled, err);
    return status != VP_OK ? status : check_all_used(&b);
}
