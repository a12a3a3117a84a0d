/*
 * An ONNX file as a graph: nodes in an order in which each comes after those it reads, values by
 * number, constants as tensors. Knows the format, not the network. Any thread.
 *
 * Names are kept for error sentences only: edges are numbers. Every node leads to the output and
 * every value has one origin; a graph that is cyclic, disconnected or ambiguous is refused.
 */
#ifndef VP_ONNX_GRAPH_H
#define VP_ONNX_GRAPH_H

#include "base/pool.h"
#include "loader/onnx/protobuf.h"
#include "loader/tensor.h"

#define ONNX_NONE                                                                                  \
    SIZE_MAX /* no value, no node: an optional input left out, a constant's producer */

enum onnx_attribute_kind {
    ONNX_ATTRIBUTE_FLOAT,
    ONNX_ATTRIBUTE_INT,
    ONNX_ATTRIBUTE_STRING,
    ONNX_ATTRIBUTE_TENSOR,
    ONNX_ATTRIBUTE_FLOATS,
    ONNX_ATTRIBUTE_INTS
};

struct onnx_attribute {
    const char *name;
    enum onnx_attribute_kind kind;
    double number;   /* FLOAT */
    int64_t integer; /* INT */
    const char *text;
    struct protobuf_bytes tensor; /* a TensorProto */
    size_t n_values;
    const float *floats;     /* [n_values] */
    const int64_t *integers; /* [n_values] */
};

struct onnx_node {
    const char *name; /* of the node, or of its first output when it has none */
    const char *op;
    size_t n_inputs, n_outputs, n_attributes;
    const char **input_names, **output_names; /* "" for one left out */
    size_t *inputs, *outputs;                 /* values; ONNX_NONE for one left out */
    struct onnx_attribute *attributes;
    bool used; /* somebody has explained it */
};

struct onnx_value {
    const char *name;
    size_t producer;       /* node, or ONNX_NONE for the graph's input and for constants */
    struct tensor *tensor; /* a constant: initialiser or Constant node; else NULL */
};

struct onnx_graph {
    struct pool pool;        /* owns everything below */
    struct onnx_node *nodes; /* without the Constant nodes, which are tensors here */
    size_t n_nodes;
    struct tensor *tensors; /* initialisers and Constant nodes */
    size_t n_tensors;
    size_t *order; /* [n_nodes], every node after those it reads */
    struct onnx_value *values;
    size_t n_values;
    const char *input_name, *output_name;
    size_t input, output;                /* values */
    size_t n_input_dims;                 /* 0 when the file does not say */
    int64_t input_dims[TENSOR_MAX_DIMS]; /* -1: left open */
};

/* The attribute of that name, or NULL. Borrowed. */
const struct onnx_attribute *onnx_attribute(const struct onnx_node *node, const char *name);

/* An INT attribute, or fallback when there is none of that name. False when it is of another kind.
 */
bool onnx_attribute_int(const struct onnx_node *node, const char *name, int64_t fallback,
                        int64_t *out) VP_MUST_CHECK;

/* The node that gives the value, or NULL for constants and the graph's input. Borrowed. */
struct onnx_node *onnx_producer(const struct onnx_graph *graph, size_t value);

#endif
