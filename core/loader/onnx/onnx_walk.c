/* Steps of a walk along the edges of a graph. */
#include "loader/onnx/onnx_walk.h"

#include <string.h>

bool onnx_walk_is(const struct onnx_node *node, const char *op)
{
    return node != NULL && strcmp(node->op, op) == 0;
}

enum vp_status onnx_walk_expect(const struct onnx_graph *graph, size_t value, const char *op,
                                struct onnx_node **out, struct vp_err *err)
{
    *out = onnx_producer(graph, value);
    if (onnx_walk_is(*out, op))
        return VP_OK;
    return status_fail(err, VP_ERR_MODEL, "ONNX: '%.80s' is given by %.40s where %s is needed",
                       graph->values[value].name, *out != NULL ? (*out)->op : "no node", op);
}

/* Identity, and a cast of floats to float. */
static bool passes_through(const struct onnx_node *node)
{
    enum { FLOAT = 1 };
    int64_t to;
    if (node == NULL || node->n_inputs != 1 || node->n_outputs != 1 || node->inputs[0] == ONNX_NONE)
        return false;
    return (onnx_walk_is(node, "Identity") && node->n_attributes == 0) ||
           (onnx_walk_is(node, "Cast") && node->n_attributes == 1 &&
            onnx_attribute_int(node, "to", 0, &to) && to == FLOAT);
}

size_t onnx_walk_source(const struct onnx_graph *graph, size_t value)
{
    struct onnx_node *node = onnx_producer(graph, value);
    while (passes_through(node)) { /* ends: the graph has no cycle */
        node->used = true;
        value = node->inputs[0];
        node = onnx_producer(graph, value);
    }
    return value;
}

struct tensor *onnx_walk_constant(const struct onnx_graph *graph, size_t value)
{
    value = onnx_walk_source(graph, value);
    struct tensor *tensor = value != ONNX_NONE ? graph->values[value].tensor : NULL;
    if (tensor != NULL)
        tensor->used = true;
    return tensor;
}

enum vp_status onnx_walk_use(struct onnx_node *node, const char *attributes, size_t min_inputs,
                             size_t max_inputs, struct vp_err *err)
{
    if (node->used)
        return status_fail(err, VP_ERR_MODEL, "ONNX: node '%.80s' (%.40s) has two places at once",
                           node->name, node->op);
    node->used = true;
    bool fits = node->n_inputs >= min_inputs && node->n_inputs <= max_inputs;
    for (size_t i = 0; i < min_inputs && fits; i++)
        fits = node->inputs[i] != ONNX_NONE;
    for (size_t i = 1; i < node->n_outputs && fits; i++)
        fits = node->outputs[i] == ONNX_NONE;
    if (!fits)
        return status_fail(err, VP_ERR_MODEL,
                           "ONNX: node '%.80s' (%.40s) has %zu inputs, %zu outputs", node->name,
                           node->op, node->n_inputs, node->n_outputs);
    for (size_t i = 0; i < node->n_attributes; i++) {
        const char *name = node->attributes[i].name;
        const char *at = strstr(attributes, name);
        size_t n = strlen(name);
        bool starts = at != NULL && (at == attributes || at[-1] == ' ');
        if (!starts || n == 0 || (at[n] != ' ' && at[n] != '\0'))
            return status_fail(err, VP_ERR_MODEL, "ONNX: node '%.80s' (%.40s): attribute '%.60s'",
                               node->name, node->op, name);
    }
    return VP_OK;
}

enum vp_status onnx_walk_back(const struct onnx_graph *graph, size_t *value, const char *op,
                              const char *attributes, size_t n_inputs, struct vp_err *err)
{
    struct onnx_node *node = NULL;
    enum vp_status status =
        onnx_walk_expect(graph, onnx_walk_source(graph, *value), op, &node, err);
    if (status == VP_OK)
        status = onnx_walk_use(node, attributes, n_inputs, n_inputs, err);
    if (status == VP_OK)
        *value = onnx_walk_source(graph, node->inputs[0]);
    return status;
}

enum vp_status onnx_walk_all_used(const struct onnx_graph *graph, struct vp_err *err)
{
    for (size_t i = 0; i < graph->n_nodes; i++)
        if (!graph->nodes[i].used)
            return status_fail(err, VP_ERR_MODEL,
                               "ONNX: node '%.80s' (%.40s) has no place in the network",
                               graph->nodes[i].name, graph->nodes[i].op);
    for (size_t i = 0; i < graph->n_tensors; i++)
        if (!graph->tensors[i].used)
            return status_fail(err, VP_ERR_MODEL,
                               "ONNX: tensor '%.100s' has no place in the network",
                               graph->tensors[i].name);
    return VP_OK;
}
