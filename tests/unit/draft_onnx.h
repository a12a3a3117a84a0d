/*
 * ONNX files made in memory: a small WeSpeaker ResNet as a list of nodes and tensors that a test
 * spoils as it likes, and the bytes of it. All names are unique; nodes are found by name.
 */
#ifndef VP_DRAFT_ONNX_H
#define VP_DRAFT_ONNX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct draft_attribute {
    char name[24];
    int type;     /* AttributeProto.type: 1 float, 2 int, 3 string, 5 graph, 7 ints; 0: left out */
    float number; /* 1 */
    int64_t ints[4]; /* 2, 7 */
    size_t n_ints;
    char text[16]; /* 3 */
};

struct draft_node {
    char op[24], name[40], domain[16];
    char in[6][40], out[2][40]; /* "" ends the list; "-" is an input left out */
    struct draft_attribute attributes[7];
    size_t n_attributes;
};

struct draft_tensor {
    char name[40];
    int type; /* TensorProto.data_type: 1 float32, 7 int64 */
    int64_t dims[5];
    size_t n_dims, n_values;
    float values[1100]; /* written as the type asks */
    bool is_typed;      /* float_data or int64_data instead of raw_data */
    bool is_external;
    size_t n_cut; /* bytes left out at the end of the data */
};

#define DRAFT_MAX_NODES   96
#define DRAFT_MAX_TENSORS 96

struct draft_onnx {
    int64_t ir, opset;
    int64_t input_dims[3];                                           /* -1: left open */
    char input[40], second_input[40], output[40], second_output[40]; /* "-": there, nameless */
    struct draft_node nodes[DRAFT_MAX_NODES];
    size_t n_nodes;
    struct draft_tensor tensors[DRAFT_MAX_TENSORS];
    size_t n_tensors;
    char metadata[4][2][64]; /* pairs; "" ends the list */
};

#define DRAFT_N_MELS 16
#define DRAFT_DIM    5

/*
 * Features [1, T, 16] -> embedding [5]: blocks 1 1 1 1 of 2 2 3 4 channels. Nodes: "transpose",
 * "unsqueeze", "stem", "stem/relu"; in layer L "L/conv1", "L/relu1", "L/conv2", "L/shortcut" (from
 * 2 on), "L/add", "L/relu2"; then "mean", "mean_keep", "centre", "square", "variance", "shape",
 * "gather", "count", "scale", "less_one", "bessel", "eps", "sqrt", "flat_mean", "flat_std",
 * "concat", "gemm", "embs". Tensors: NODE.weight, NODE.bias, "mean_vec". Returns owned (free).
 */
struct draft_onnx *draft_onnx_new(void);

/* They abort when there is none of that name, or no room. */
struct draft_node *draft_node(struct draft_onnx *draft, const char *name);
struct draft_tensor *draft_tensor(struct draft_onnx *draft, const char *name);
struct draft_attribute *draft_attribute(struct draft_node *node, const char *name);

/* New ones at the end. n_values uniform in [-1, 1) times scale where scale is not 0. */
struct draft_node *draft_add_node(struct draft_onnx *draft, const char *op, const char *name,
                                  const char *in0, const char *in1, const char *in2);
struct draft_tensor *draft_add_tensor(struct draft_onnx *draft, const char *name, size_t n_dims,
                                      const int64_t *dims, double scale);
void draft_add_ints(struct draft_node *node, const char *name, size_t n, const int64_t *values);
void draft_add_int(struct draft_node *node, const char *name, int64_t value);
/* Takes a node out; others keep their names and edges. */
void draft_remove_node(struct draft_onnx *draft, const char *name);

/* "bn", a BatchNormalization of bn.weight, bn.bias, bn.mean and bn.variance behind "3/conv1". */
void draft_add_norm(struct draft_onnx *d);
/* Frames counted as torch.export writes a shape: (frames of the input - 1) / 8 + 1, in whole
 * numbers; "8" is that divisor's tensor. */
void draft_count_from_input(struct draft_onnx *d);

/* The file's bytes [*n_bytes]. Returns owned (free). */
unsigned char *draft_onnx_write(const struct draft_onnx *draft, size_t *n_bytes);

/* Sets a text of the draft: a literal, shorter than the field. */
void draft_set(char *text, const char *value);

#endif
