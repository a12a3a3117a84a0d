/* The network, walked from its output. */
#include "onnx_bind.h"

#include "onnx_conv.h"
#include "onnx_operator.h"
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

/* The constants behind the statistics, found first and read once their shapes are known. */
struct head {
    const struct tensor *matrix; /* [dim, rows], or [rows, dim] when is_transposed */
    bool is_transposed;
    const struct tensor *bias;     /* [dim] */
    const struct tensor *mean_vec; /* [dim], or NULL */
    size_t pooled;                 /* the value of the statistics */
};

static enum vp_status find_constant(const struct binder *b, const struct onnx_node *reader,
                                    size_t value, const char *what, const struct tensor **out)
{
    *out = onnx_constant(b->graph, value);
    if (*out != NULL)
        return VP_OK;
    return status_fail(b->err, VP_ERR_MODEL, "ONNX: node '%.80s' (%.40s): its %s is no constant",
                       reader->name, reader->op, what);
}

/* The matrix of a fully connected layer, itself or through a Transpose node. */
static enum vp_status find_matrix(const struct binder *b, const struct onnx_node *reader,
                                  size_t value, bool is_transposed, struct head *head)
{
    struct onnx_node *node = onnx_producer(b->graph, onnx_source(b->graph, value));
    if (is_op(node, "Transpose")) {
        const struct onnx_attribute *perm = onnx_attribute(node, "perm");
        enum vp_status status = onnx_node_use(node, "perm", 1, 1, b->err);
        if (status != VP_OK)
            return status;
        if (perm != NULL && (perm->kind != ONNX_ATTRIBUTE_INTS || perm->n_values != 2 ||
                             perm->integers[0] != 1 || perm->integers[1] != 0))
            return status_fail(b->err, VP_ERR_MODEL,
                               "ONNX: node '%.100s' (Transpose): perm must be [1, 0]", node->name);
        is_transposed = !is_transposed;
        value = node->inputs[0];
    }
    head->is_transposed = is_transposed;
    return find_constant(b, reader, value, "matrix", &head->matrix);
}

static enum vp_status find_gemm(const struct binder *b, struct onnx_node *gemm, struct head *head)
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
    head->pooled = gemm->inputs[0];
    status = find_matrix(b, gemm, gemm->inputs[1], trans_b == 0, head);
    return status != VP_OK ? status : find_constant(b, gemm, gemm->inputs[2], "bias", &head->bias);
}

/* Add(MatMul(pooled, matrix), bias), the operands of Add in either order. */
static enum vp_status find_matmul(const struct binder *b, struct onnx_node *add, struct head *head)
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
    head->pooled = matmul->inputs[0];
    status = find_matrix(b, matmul, matmul->inputs[1], true, head);
    return status != VP_OK ? status : find_constant(b, add, bias, "bias", &head->bias);
}

static enum vp_status find_head(const struct binder *b, struct head *head)
{
    size_t value = onnx_source(b->graph, b->graph->output);
    struct onnx_node *node = onnx_producer(b->graph, value);
    if (is_op(node, "Sub")) {
        enum vp_status status = onnx_node_use(node, "", 2, 2, b->err);
        if (status == VP_OK)
            status = find_constant(b, node, node->inputs[1], "mean vector", &head->mean_vec);
        if (status != VP_OK)
            return status;
        value = onnx_source(b->graph, node->inputs[0]);
        node = onnx_producer(b->graph, value);
    }
    if (is_op(node, "Add"))
        return find_matmul(b, node, head);
    enum vp_status status = expect(b, value, "Gemm", &node);
    return status != VP_OK ? status : find_gemm(b, node, head);
}

static enum vp_status read_floats(const struct binder *b, const struct tensor *tensor, float **out)
{
    *out = malloc(tensor->n_values * sizeof **out);
    if (*out == NULL)
        return status_no_memory(b->err, "weights", tensor->n_values * sizeof **out);
    return tensor_read_floats(tensor, *out, b->err);
}

/* [dim], or [1, dim]: the batch of one is no matter. */
static enum vp_status read_vector(const struct binder *b, const struct tensor *tensor, float **out)
{
    const size_t dims[] = {1, b->net->dim};
    enum vp_status status = tensor->n_dims == 2 ? tensor_check_shape(tensor, dims, 2, b->err)
                                                : tensor_check_shape(tensor, dims + 1, 1, b->err);
    return status != VP_OK ? status : read_floats(b, tensor, out);
}

/* values: [n_rows, n_columns] -> owned [n_columns, n_rows] */
static float *transpose(const float *values, size_t n_rows, size_t n_columns)
{
    float *out = malloc(n_rows * n_columns * sizeof *out);
    for (size_t r = 0; r < n_rows && out != NULL; r++)
        for (size_t c = 0; c < n_columns; c++)
            out[c * n_rows + r] = values[r * n_columns + c];
    return out;
}

/* The blocks are bound: the number of statistics is known. */
static enum vp_status read_head(const struct binder *b, const struct head *head)
{
    struct net *net = b->net;
    const struct net_stage *last = &net->stages[VP_MAX_STAGES - 1];
    const struct net_block *block = &last->blocks[last->n_blocks - 1];
    const size_t rows[] = {2, block->convs[block->n_convs - 1].n_out,
                           net_stage_n_freq(net, VP_MAX_STAGES - 1)};
    size_t n_rows = 0;
    net->dim = head->matrix->dims[head->is_transposed ? 1 : 0];
    if (!tensor_count(rows, 3, &n_rows) || head->matrix->n_values == 0)
        return status_fail(b->err, VP_ERR_MODEL, "ONNX: tensor '%.100s' is no matrix",
                           head->matrix->name);
    const size_t dims[] = {net->dim, n_rows, net->dim};
    enum vp_status status =
        tensor_check_shape(head->matrix, head->is_transposed ? dims + 1 : dims, 2, b->err);
    if (status == VP_OK)
        status = read_floats(b, head->matrix, &net->fc_weight);
    if (status == VP_OK && head->is_transposed) {
        float *turned = transpose(net->fc_weight, n_rows, net->dim);
        free(net->fc_weight);
        net->fc_weight = turned;
        if (turned == NULL)
            status = status_no_memory(b->err, "weights", head->matrix->n_values * sizeof *turned);
    }
    if (status == VP_OK)
        status = read_vector(b, head->bias, &net->fc_bias);
    if (status == VP_OK && head->mean_vec != NULL)
        status = read_vector(b, head->mean_vec, &net->mean_vec);
    return status;
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

/* The ReLU that gives value. */
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
                                size_t *stem)
{
    for (;;) {
        struct onnx_node *relu = NULL;
        enum vp_status status = use_relu(b, value, &relu);
        if (status != VP_OK)
            return status;
        size_t sum = onnx_source(b->graph, relu->inputs[0]);
        struct onnx_node *add = onnx_producer(b->graph, sum);
        if (!is_op(add, "Add")) {
            *stem = onnx_conv_input(b->graph, sum);
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

/* Said first, by name: what an unknown operator leaves unmatched elsewhere says less. */
static enum vp_status check_operators(const struct binder *b)
{
    static const char *const network[] = {"Conv", "BatchNormalization", "Relu", "Gemm", "MatMul"};
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

static enum vp_status bind_blocks(const struct binder *b, size_t body, size_t *stem)
{
    struct net_stage blocks = {0};
    enum vp_status status = bind_body(b, body, &blocks, stem);
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
    struct head head = {0};
    size_t body = ONNX_NONE, stem = ONNX_NONE;
    enum vp_status status = check_operators(&b);
    if (status == VP_OK)
        status = check_input(&b);
    if (status == VP_OK)
        status = find_head(&b, &head);
    if (status == VP_OK)
        status = onnx_probe_find(graph, head.pooled, &body, err);
    if (status == VP_OK)
        status = bind_blocks(&b, body, &stem);
    if (status == VP_OK)
        status = read_head(&b, &head);
    if (status == VP_OK)
        status = net_check(net, err); /* before the probes: they are sized by it */
    if (status == VP_OK)
        status = onnx_probe_features(graph, net, stem, err);
    if (status == VP_OK)
        status = onnx_probe_statistics(graph, net, body, head.pooled, err);
    return status != VP_OK ? status : check_all_used(&b);
}
