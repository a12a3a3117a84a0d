/* Looking things up in an ONNX graph. */
#include "loader/onnx/onnx_graph.h"

#include <string.h>

const struct onnx_attribute *onnx_attribute(const struct onnx_node *node, const char *name)
{
    for (size_t i = 0; i < node->n_attributes; i++)
        if (strcmp(node->attributes[i].name, name) == 0)
            return &node->attributes[i];
    return NULL;
}

bool onnx_attribute_int(const struct onnx_node *node, const char *name, int64_t fallback,
                        int64_t *out)
{
    const struct onnx_attribute *attribute = onnx_attribute(node, name);
    *out = attribute != NULL ? attribute->integer : fallback;
    return attribute == NULL || attribute->kind == ONNX_ATTRIBUTE_INT;
}

struct onnx_node *onnx_producer(const struct onnx_graph *graph, size_t value)
{
    size_t producer = value != ONNX_NONE ? graph->values[value].producer : ONNX_NONE;
    return producer != ONNX_NONE ? &graph->nodes[producer] : NULL;
}
