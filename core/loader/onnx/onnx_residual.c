/* Residual blocks, walked from the last. */
#include "loader/onnx/onnx_residual.h"

#include "loader/onnx/onnx_conv.h"
#include "loader/onnx/onnx_walk.h"

#include <stdlib.h>

struct binder {
    const struct onnx_graph *graph;
    struct net *net;
    struct vp_err *err;
};

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
        if (!onnx_walk_is(relu, "Relu") || relu->n_inputs != 1)
            return 0;
        value = onnx_walk_source(b->graph, relu->inputs[0]);
    }
    return 0;
}

/* The ReLU that gives value. */
static enum vp_status use_relu(const struct binder *b, size_t value, struct onnx_node **out)
{
    enum vp_status status = onnx_walk_expect(b->graph, value, "Relu", out, b->err);
    return status != VP_OK ? status : onnx_walk_use(*out, "", 1, 1, b->err);
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
    enum vp_status status = onnx_walk_use(add, "", 2, 2, b->err);
    if (status != VP_OK)
        return status;
    const size_t operands[2] = {onnx_walk_source(b->graph, add->inputs[0]),
                                onnx_walk_source(b->graph, add->inputs[1])};
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
        size_t sum = onnx_walk_source(b->graph, relu->inputs[0]);
        struct onnx_node *add = onnx_producer(b->graph, sum);
        if (!onnx_walk_is(add, "Add")) {
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

/* Deals the blocks, first one last, to the stages: each, and the first one if first_halves, begins
 * where the rate halves. Takes what is in blocks. */
static enum vp_status deal_blocks(const struct binder *b, struct net_stage *blocks,
                                  bool first_halves, size_t n_stages)
{
    size_t n_begun = first_halves ? 0 : 1;
    while (blocks->n_blocks > 0 && n_begun <= n_stages) {
        const struct net_block *first = &blocks->blocks[blocks->n_blocks - 1];
        n_begun += halves(first);
        if (n_begun == 0 || n_begun > n_stages)
            break;
        struct net_block *block = net_stage_add(&b->net->stages[n_begun - 1]);
        if (block == NULL)
            return status_no_memory(b->err, "a block", sizeof *block);
        *block = *first;
        blocks->n_blocks--;
    }
    if (blocks->n_blocks == 0 && n_begun == n_stages)
        return VP_OK;
    return status_fail(b->err, VP_ERR_MODEL,
                       "ONNX: %s than %s blocks halve the rate; a network of this family has so "
                       "many",
                       n_begun > n_stages ? "more" : "fewer", first_halves ? "two" : "three");
}

enum vp_status onnx_residual_bind(const struct onnx_graph *graph, size_t value, bool first_halves,
                                  size_t n_stages, struct net *net, size_t *features,
                                  struct vp_err *err)
{
    const struct binder b = {.graph = graph, .net = net, .err = err};
    struct net_stage blocks = {0};
    enum vp_status status = bind_body(&b, value, &blocks, features);
    if (status == VP_OK)
        status = deal_blocks(&b, &blocks, first_halves, n_stages);
    for (size_t i = 0; i < blocks.n_blocks; i++)
        net_block_clear(&blocks.blocks[i]);
    free(blocks.blocks);
    return status;
}
