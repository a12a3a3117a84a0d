/* Edges of an ONNX graph. */
#include "loader/onnx/onnx_link.h"

#include <stdlib.h>
#include <string.h>

static int by_name(const void *a, const void *b)
{
    const struct onnx_value *left = a, *right = b;
    return strcmp(left->name, right->name);
}

static size_t find_value(const struct onnx_graph *graph, const char *name)
{
    if (name[0] == '\0')
        return ONNX_NONE;
    const struct onnx_value key = {.name = name};
    const struct onnx_value *found =
        bsearch(&key, graph->values, graph->n_values, sizeof key, by_name);
    return (size_t)(found - graph->values); /* every name was collected: always found */
}

/* Every name once, sorted: a value's number is its place. */
static enum vp_status collect_values(struct onnx_graph *graph, struct vp_err *err)
{
    size_t n = graph->n_tensors + 2;
    for (size_t i = 0; i < graph->n_nodes; i++)
        n += graph->nodes[i].n_inputs + graph->nodes[i].n_outputs;
    graph->values = pool_alloc(&graph->pool, n, sizeof *graph->values);
    if (graph->values == NULL)
        return status_no_memory(err, "the graph", n * sizeof *graph->values);
    struct onnx_value *next = graph->values;
    (next++)->name = graph->input_name;
    (next++)->name = graph->output_name;
    for (size_t i = 0; i < graph->n_tensors; i++)
        (next++)->name = graph->tensors[i].name;
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const struct onnx_node *node = &graph->nodes[i];
        for (size_t j = 0; j < node->n_inputs; j++)
            (next++)->name = node->input_names[j];
        for (size_t j = 0; j < node->n_outputs; j++)
            (next++)->name = node->output_names[j];
    }
    qsort(graph->values, n, sizeof *graph->values, by_name);
    for (size_t i = 0; i < n; i++)
        if (graph->values[i].name[0] != '\0' &&
            (graph->n_values == 0 ||
             strcmp(graph->values[graph->n_values - 1].name, graph->values[i].name) != 0))
            graph->values[graph->n_values++] =
                (struct onnx_value){.name = graph->values[i].name, .producer = ONNX_NONE};
    graph->input = find_value(graph, graph->input_name);
    graph->output = find_value(graph, graph->output_name);
    return VP_OK;
}

static enum vp_status claim(const struct onnx_graph *graph, size_t value, struct vp_err *err)
{
    const struct onnx_value *v = &graph->values[value];
    if (value != graph->input && v->tensor == NULL && v->producer == ONNX_NONE)
        return VP_OK;
    return status_fail(err, VP_ERR_MODEL, "ONNX: '%.100s' is given twice", v->name);
}

static enum vp_status link_node(struct onnx_graph *graph, size_t i, struct vp_err *err)
{
    struct onnx_node *node = &graph->nodes[i];
    node->inputs = pool_alloc(&graph->pool, node->n_inputs, sizeof *node->inputs);
    node->outputs = pool_alloc(&graph->pool, node->n_outputs, sizeof *node->outputs);
    if (node->inputs == NULL || node->outputs == NULL)
        return status_no_memory(err, "the graph", sizeof *node->inputs);
    for (size_t j = 0; j < node->n_inputs; j++)
        node->inputs[j] = find_value(graph, node->input_names[j]);
    for (size_t j = 0; j < node->n_outputs; j++) {
        node->outputs[j] = find_value(graph, node->output_names[j]);
        if (node->outputs[j] == ONNX_NONE)
            continue;
        enum vp_status status = claim(graph, node->outputs[j], err);
        if (status != VP_OK)
            return status;
        graph->values[node->outputs[j]].producer = i;
    }
    return VP_OK;
}

static enum vp_status link_values(struct onnx_graph *graph, struct vp_err *err)
{
    for (size_t i = 0; i < graph->n_tensors; i++) {
        size_t value = find_value(graph, graph->tensors[i].name);
        enum vp_status status = claim(graph, value, err);
        if (status != VP_OK)
            return status;
        graph->values[value].tensor = &graph->tensors[i];
    }
    for (size_t i = 0; i < graph->n_nodes; i++) {
        enum vp_status status = link_node(graph, i, err);
        if (status != VP_OK)
            return status;
    }
    return VP_OK;
}

/* Depth-first from the output: a node is finished after all that it reads. */
struct walk {
    struct onnx_graph *graph;
    struct {
        size_t node, next_input;
    } * stack; /* [n_nodes], the path from the output to the node at hand */
    size_t depth, n_ordered;
    enum { UNSEEN = 0, ON_PATH, FINISHED } * state; /* [n_nodes] */
};

static enum vp_status enter(struct walk *walk, const struct onnx_node *reader, size_t value,
                            struct vp_err *err)
{
    const struct onnx_value *v = &walk->graph->values[value];
    if (v->tensor != NULL || value == walk->graph->input)
        return VP_OK;
    if (v->producer == ONNX_NONE)
        return status_fail(err, VP_ERR_MODEL, "ONNX: %s '%.80s' reads '%.80s', which nothing gives",
                           reader != NULL ? "node" : "output",
                           reader != NULL ? reader->name : v->name, v->name);
    if (walk->state[v->producer] == ON_PATH)
        return status_fail(err, VP_ERR_MODEL, "ONNX: node '%.100s' is part of a cycle",
                           walk->graph->nodes[v->producer].name);
    if (walk->state[v->producer] == FINISHED)
        return VP_OK;
    walk->state[v->producer] = ON_PATH;
    walk->stack[walk->depth].node = v->producer;
    walk->stack[walk->depth++].next_input = 0;
    return VP_OK;
}

static enum vp_status order_nodes(struct walk *walk, struct vp_err *err)
{
    struct onnx_graph *graph = walk->graph;
    enum vp_status status = enter(walk, NULL, graph->output, err);
    while (status == VP_OK && walk->depth > 0) {
        size_t i = walk->stack[walk->depth - 1].node;
        const struct onnx_node *node = &graph->nodes[i];
        size_t next = walk->stack[walk->depth - 1].next_input++;
        if (next == node->n_inputs) {
            walk->state[i] = FINISHED;
            graph->order[walk->n_ordered++] = i;
            walk->depth--;
        } else if (node->inputs[next] != ONNX_NONE) {
            status = enter(walk, node, node->inputs[next], err);
        }
    }
    for (size_t i = 0; i < graph->n_nodes && status == VP_OK; i++)
        if (walk->state[i] != FINISHED)
            status = status_fail(err, VP_ERR_MODEL,
                                 "ONNX: node '%.80s' (%.40s) does not lead to the output",
                                 graph->nodes[i].name, graph->nodes[i].op);
    return status;
}

enum vp_status onnx_link(struct onnx_graph *graph, struct vp_err *err)
{
    enum vp_status status = collect_values(graph, err);
    if (status == VP_OK)
        status = link_values(graph, err);
    if (status != VP_OK)
        return status;
    size_t n = graph->n_nodes;
    struct walk walk = {.graph = graph};
    graph->order = pool_alloc(&graph->pool, n, sizeof *graph->order);
    walk.stack = calloc(n + 1, sizeof *walk.stack);
    walk.state = calloc(n + 1, sizeof *walk.state);
    if (graph->order != NULL && walk.stack != NULL && walk.state != NULL)
        status = order_nodes(&walk, err);
    else
        status = status_no_memory(err, "the graph", n * sizeof *walk.stack);
    free(walk.stack);
    free(walk.state);
    return status;
}
