/* A stretch of the graph, on numbers. */
#include "loader/onnx/onnx_eval.h"

#include "loader/onnx/onnx_operator.h"

#define MAX_NODES 200u /* of a stretch: the longest known spelling has 20 */

/* What is known so far. */
struct eval {
    const struct onnx_graph *graph;
    struct pool *pool;
    bool *is_needed;           /* [n_values] */
    struct onnx_array *arrays; /* [n_values], data NULL until computed */
    struct vp_err *err;
};

/* Must the node run: does it give something that is needed and not there yet? */
static bool takes_part(const struct eval *eval, const struct onnx_node *node)
{
    for (size_t j = 0; j < node->n_outputs; j++)
        if (node->outputs[j] != ONNX_NONE && eval->is_needed[node->outputs[j]] &&
            eval->arrays[node->outputs[j]].data == NULL)
            return true;
    return false;
}

/* Marks what target needs, against the order; returns how many nodes take part. */
static size_t mark_needed(const struct eval *eval, size_t target)
{
    const struct onnx_graph *graph = eval->graph;
    size_t n_nodes = 0;
    eval->is_needed[target] = true;
    for (size_t i = graph->n_nodes; i-- > 0;) {
        const struct onnx_node *node = &graph->nodes[graph->order[i]];
        if (!takes_part(eval, node))
            continue;
        n_nodes++;
        for (size_t j = 0; j < node->n_inputs; j++)
            if (node->inputs[j] != ONNX_NONE)
                eval->is_needed[node->inputs[j]] = true;
    }
    return n_nodes;
}

static enum vp_status load_input(const struct eval *eval, size_t value,
                                 const struct onnx_array **out)
{
    *out = NULL;
    if (value == ONNX_NONE)
        return VP_OK;
    struct onnx_array *array = &eval->arrays[value];
    struct tensor *tensor = eval->graph->values[value].tensor;
    enum vp_status status = VP_OK;
    if (array->data == NULL && tensor != NULL) {
        status = onnx_array_of(eval->pool, tensor, array);
        tensor->used = true;
    }
    if (status == VP_OK && array->data == NULL)
        return VP_ERR_MODEL; /* reaches past what is given */
    *out = array;
    return status;
}

static enum vp_status run_node(const struct eval *eval, struct onnx_node *node)
{
    struct onnx_step step = {.node = node, .n_in = node->n_inputs, .pool = eval->pool};
    const struct onnx_operator *known = onnx_operator_find(node->op);
    if (known == NULL)
        return status_fail(eval->err, VP_ERR_MODEL,
                           "ONNX: node '%.80s': operator %.40s has no place outside the "
                           "convolutions",
                           node->name, node->op);
    bool fits = node->n_inputs >= known->min_inputs && node->n_inputs <= known->max_inputs &&
                node->n_outputs == 1;
    enum vp_status status = fits ? VP_OK : VP_ERR_MODEL;
    for (size_t j = 0; j < node->n_inputs && status == VP_OK; j++)
        status = load_input(eval, node->inputs[j], &step.in[j]);
    if (status == VP_OK && step.in[0] == NULL)
        status = VP_ERR_MODEL;
    if (status == VP_OK)
        status = known->eval(&step, &eval->arrays[node->outputs[0]]);
    node->used = true;
    if (status == VP_ERR_NO_MEMORY)
        return status_no_memory(eval->err, "a probe of the graph", 0);
    if (status != VP_OK)
        return status_fail(eval->err, VP_ERR_MODEL,
                           "ONNX: node '%.80s' (%.40s) does not fit what it is given", node->name,
                           node->op);
    return VP_OK;
}

enum vp_status onnx_eval(const struct onnx_graph *graph, const struct onnx_given *given,
                         size_t n_given, size_t target, struct pool *pool, struct onnx_array *out,
                         struct vp_err *err)
{
    struct eval eval = {.graph = graph, .pool = pool, .err = err};
    eval.is_needed = pool_alloc(pool, graph->n_values, sizeof *eval.is_needed);
    eval.arrays = pool_alloc(pool, graph->n_values, sizeof *eval.arrays);
    if (eval.is_needed == NULL || eval.arrays == NULL)
        return status_no_memory(err, "a probe of the graph", graph->n_values * sizeof *eval.arrays);
    for (size_t i = 0; i < n_given; i++)
        eval.arrays[given[i].value] = given[i].array;
    if (mark_needed(&eval, target) > MAX_NODES)
        return status_fail(err, VP_ERR_MODEL,
                           "ONNX: too many nodes lead to '%.100s' to be the statistics",
                           graph->values[target].name);
    for (size_t i = 0; i < graph->n_nodes; i++) {
        struct onnx_node *node = &graph->nodes[graph->order[i]];
        enum vp_status status = takes_part(&eval, node) ? run_node(&eval, node) : VP_OK;
        if (status != VP_OK)
            return status;
    }
    const struct onnx_array *result = NULL;
    if (load_input(&eval, target, &result) != VP_OK)
        return status_fail(err, VP_ERR_MODEL, "ONNX: '%.100s' cannot be computed",
                           graph->values[target].name);
    *out = *result;
    return VP_OK;
}
