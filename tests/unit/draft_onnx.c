/* ONNX files in memory. */
#include "draft_onnx.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void die(const char *what, const char *name)
{
    fprintf(stderr, "draft_onnx: %s '%s'\n", what, name);
    abort();
}

static void copy(char *to, size_t n, const char *from)
{
    if ((size_t)snprintf(to, n, "%s", from) >= n)
        die("too long", from);
}

/* ---- the network -------------------------------------------------------------------------- */

struct draft_node *draft_node(struct draft_onnx *draft, const char *name)
{
    for (size_t i = 0; i < draft->n_nodes; i++)
        if (strcmp(draft->nodes[i].name, name) == 0)
            return &draft->nodes[i];
    die("no node", name);
    return NULL;
}

struct draft_tensor *draft_tensor(struct draft_onnx *draft, const char *name)
{
    for (size_t i = 0; i < draft->n_tensors; i++)
        if (strcmp(draft->tensors[i].name, name) == 0)
            return &draft->tensors[i];
    die("no tensor", name);
    return NULL;
}

struct draft_attribute *draft_attribute(struct draft_node *node, const char *name)
{
    for (size_t i = 0; i < node->n_attributes; i++)
        if (strcmp(node->attributes[i].name, name) == 0)
            return &node->attributes[i];
    die("no attribute", name);
    return NULL;
}

struct draft_node *draft_add_node(struct draft_onnx *draft, const char *op, const char *name,
                                  const char *in0, const char *in1, const char *in2)
{
    if (draft->n_nodes == DRAFT_MAX_NODES)
        die("no room for", name);
    struct draft_node *node = &draft->nodes[draft->n_nodes++];
    copy(node->op, sizeof node->op, op);
    copy(node->name, sizeof node->name, name);
    copy(node->out[0], sizeof node->out[0], name); /* a node's output has its name */
    copy(node->in[0], sizeof node->in[0], in0 != NULL ? in0 : "");
    copy(node->in[1], sizeof node->in[1], in1 != NULL ? in1 : "");
    copy(node->in[2], sizeof node->in[2], in2 != NULL ? in2 : "");
    return node;
}

static struct draft_attribute *add_attribute(struct draft_node *node, const char *name, int type)
{
    if (node->n_attributes == sizeof node->attributes / sizeof node->attributes[0])
        die("no room for", name);
    struct draft_attribute *attribute = &node->attributes[node->n_attributes++];
    copy(attribute->name, sizeof attribute->name, name);
    attribute->type = type;
    return attribute;
}

void draft_add_ints(struct draft_node *node, const char *name, size_t n, const int64_t *values)
{
    struct draft_attribute *attribute = add_attribute(node, name, 7);
    attribute->n_ints = n;
    memcpy(attribute->ints, values, n * sizeof *values);
}

void draft_add_int(struct draft_node *node, const char *name, int64_t value)
{
    struct draft_attribute *attribute = add_attribute(node, name, 2);
    attribute->n_ints = 1;
    attribute->ints[0] = value;
}

struct draft_tensor *draft_add_tensor(struct draft_onnx *draft, const char *name, size_t n_dims,
                                      const int64_t *dims, double scale)
{
    if (draft->n_tensors == DRAFT_MAX_TENSORS)
        die("no room for", name);
    struct draft_tensor *tensor = &draft->tensors[draft->n_tensors++];
    copy(tensor->name, sizeof tensor->name, name);
    tensor->type = 1;
    tensor->n_dims = n_dims;
    tensor->n_values = 1;
    for (size_t i = 0; i < n_dims; i++) {
        tensor->dims[i] = dims[i];
        tensor->n_values *= (size_t)dims[i];
    }
    if (tensor->n_values > sizeof tensor->values / sizeof tensor->values[0])
        die("too many values in", name);
    uint32_t state = 12345u + (uint32_t)draft->n_tensors;
    for (size_t i = 0; i < tensor->n_values; i++) {
        state = state * 1664525u + 1013904223u;
        tensor->values[i] = (float)(scale * ((double)(state >> 8) / 8388608.0 - 1.0));
    }
    return tensor;
}

static void add_constant(struct draft_onnx *draft, const char *name, int type, size_t n_dims,
                         float value)
{
    static const int64_t one = 1;
    struct draft_tensor *tensor = draft_add_tensor(draft, name, n_dims, &one, 0.0);
    tensor->type = type;
    tensor->values[0] = value;
}

void draft_remove_node(struct draft_onnx *draft, const char *name)
{
    struct draft_node *node = draft_node(draft, name);
    size_t i = (size_t)(node - draft->nodes);
    memmove(node, node + 1, (draft->n_nodes - i - 1) * sizeof *node);
    draft->n_nodes--;
}

static void add_conv(struct draft_onnx *draft, const char *name, const char *in, int64_t n_in,
                     int64_t n_out, int64_t kernel, int64_t stride)
{
    char weight[40], bias[40];
    snprintf(weight, sizeof weight, "%.30s.weight", name);
    snprintf(bias, sizeof bias, "%.30s.bias", name);
    const int64_t dims[] = {n_out, n_in, kernel, kernel};
    const int64_t pads[] = {kernel / 2, kernel / 2, kernel / 2, kernel / 2};
    const int64_t strides[] = {stride, stride}, ones[] = {1, 1}, kernels[] = {kernel, kernel};
    draft_add_tensor(draft, weight, 4, dims, 0.5);
    draft_add_tensor(draft, bias, 1, &n_out, 0.5);
    struct draft_node *node = draft_add_node(draft, "Conv", name, in, weight, bias);
    draft_add_ints(node, "dilations", 2, ones);
    draft_add_int(node, "group", 1);
    draft_add_ints(node, "kernel_shape", 2, kernels);
    draft_add_ints(node, "pads", 4, pads);
    draft_add_ints(node, "strides", 2, strides);
}

static void add_layer(struct draft_onnx *draft, int layer, const char *in, int64_t n_in,
                      int64_t n_out)
{
    char conv1[40], relu1[40], conv2[40], shortcut[40], add[40], relu2[40];
    snprintf(conv1, sizeof conv1, "%d/conv1", layer);
    snprintf(relu1, sizeof relu1, "%d/relu1", layer);
    snprintf(conv2, sizeof conv2, "%d/conv2", layer);
    snprintf(shortcut, sizeof shortcut, "%d/shortcut", layer);
    snprintf(add, sizeof add, "%d/add", layer);
    snprintf(relu2, sizeof relu2, "%d/relu2", layer);
    add_conv(draft, conv1, in, n_in, n_out, 3, layer > 1 ? 2 : 1);
    draft_add_node(draft, "Relu", relu1, conv1, NULL, NULL);
    add_conv(draft, conv2, relu1, n_out, n_out, 3, 1);
    if (layer > 1)
        add_conv(draft, shortcut, in, n_in, n_out, 1, 2);
    draft_add_node(draft, "Add", add, conv2, layer > 1 ? shortcut : in, NULL);
    draft_add_node(draft, "Relu", relu2, add, NULL, NULL);
}

static struct draft_node *add_mean(struct draft_onnx *draft, const char *name, const char *in,
                                   int64_t keep_dims)
{
    static const int64_t last = -1;
    struct draft_node *node = draft_add_node(draft, "ReduceMean", name, in, NULL, NULL);
    draft_add_ints(node, "axes", 1, &last);
    draft_add_int(node, "keepdims", keep_dims);
    return node;
}

/* Mean and unbiased standard deviation over time, as torch's older exporter spells them. */
static void add_statistics(struct draft_onnx *draft, const char *in)
{
    add_constant(draft, "last", 7, 1, -1.0F);
    add_constant(draft, "one", 1, 0, 1.0F);
    add_constant(draft, "1e-7", 1, 0, 1e-7F);
    add_mean(draft, "mean", in, 0);
    add_mean(draft, "mean_keep", in, 1);
    draft_add_node(draft, "Sub", "centre", in, "mean_keep", NULL);
    draft_add_node(draft, "Mul", "square", "centre", "centre", NULL);
    add_mean(draft, "variance", "square", 0);
    draft_add_node(draft, "Shape", "shape", in, NULL, NULL);
    draft_add_int(draft_add_node(draft, "Gather", "gather", "shape", "last", NULL), "axis", 0);
    draft_add_int(draft_add_node(draft, "ReduceProd", "count", "gather", NULL, NULL), "keepdims",
                  0);
    draft_add_int(draft_add_node(draft, "Cast", "cast", "count", NULL, NULL), "to", 1);
    draft_add_node(draft, "Mul", "scale", "variance", "cast", NULL);
    draft_add_node(draft, "Sub", "less_one", "cast", "one", NULL);
    draft_add_node(draft, "Div", "bessel", "scale", "less_one", NULL);
    draft_add_node(draft, "Add", "eps", "bessel", "1e-7", NULL);
    draft_add_node(draft, "Sqrt", "sqrt", "eps", NULL, NULL);
    draft_add_int(draft_add_node(draft, "Flatten", "flat_mean", "mean", NULL, NULL), "axis", 1);
    draft_add_int(draft_add_node(draft, "Flatten", "flat_std", "sqrt", NULL, NULL), "axis", 1);
    draft_add_int(draft_add_node(draft, "Concat", "concat", "flat_mean", "flat_std", NULL), "axis",
                  1);
}

struct draft_onnx *draft_onnx_new(void)
{
    struct draft_onnx *draft = calloc(1, sizeof *draft);
    if (draft == NULL)
        die("no memory for", "a draft");
    draft->ir = 7;
    draft->opset = 14;
    draft->input_dims[0] = draft->input_dims[1] = -1;
    draft->input_dims[2] = DRAFT_N_MELS;
    copy(draft->input, sizeof draft->input, "feats");
    copy(draft->output, sizeof draft->output, "embs");
    static const int64_t perm[] = {0, 2, 1}, fc_dims[] = {DRAFT_DIM, 16}, dim = DRAFT_DIM;
    add_constant(draft, "axis_1", 7, 1, 1.0F);
    draft_add_ints(draft_add_node(draft, "Transpose", "transpose", "feats", NULL, NULL), "perm", 3,
                   perm);
    draft_add_node(draft, "Unsqueeze", "unsqueeze", "transpose", "axis_1", NULL);
    add_conv(draft, "stem", "unsqueeze", 1, 2, 3, 1);
    draft_add_node(draft, "Relu", "stem/relu", "stem", NULL, NULL);
    add_layer(draft, 1, "stem/relu", 2, 2);
    add_layer(draft, 2, "1/relu2", 2, 2);
    add_layer(draft, 3, "2/relu2", 2, 3);
    add_layer(draft, 4, "3/relu2", 3, 4);
    add_statistics(draft, "4/relu2");
    draft_add_tensor(draft, "gemm.weight", 2, fc_dims, 0.5);
    draft_add_tensor(draft, "gemm.bias", 1, &dim, 0.5);
    draft_add_tensor(draft, "mean_vec", 1, &dim, 0.5);
    struct draft_node *gemm =
        draft_add_node(draft, "Gemm", "gemm", "concat", "gemm.weight", "gemm.bias");
    add_attribute(gemm, "alpha", 1)->number = 1.0F;
    add_attribute(gemm, "beta", 1)->number = 1.0F;
    draft_add_int(gemm, "transB", 1);
    draft_add_node(draft, "Sub", "embs", "gemm", "mean_vec", NULL);
    return draft;
}

/* ---- variations -------------------------------------------------------------------------- */

static void set(char edge[40], const char *name)
{
    copy(edge, 40, name);
}

void draft_add_norm(struct draft_onnx *d)
{
    static const int64_t three = 3;
    static const char *const names[] = {"bn.weight", "bn.bias", "bn.mean", "bn.variance"};
    struct draft_node *norm =
        draft_add_node(d, "BatchNormalization", "bn", "3/conv1", names[0], names[1]);
    set(norm->in[3], names[2]);
    set(norm->in[4], names[3]);
    for (size_t i = 0; i < 4; i++)
        draft_add_tensor(d, names[i], 1, &three, 0.5);
    for (size_t i = 0; i < 3; i++)
        draft_tensor(d, names[3])->values[i] += 1.0F;
    set(draft_node(d, "3/relu1")->in[0], "bn");
}

void draft_count_from_input(struct draft_onnx *d)
{
    static const struct {
        const char *name;
        float value;
    } numbers[] = {{"minus_1", -1.0F}, {"8", 8.0F}, {"plus_1", 1.0F}};
    for (size_t i = 0; i < 3; i++) {
        struct draft_tensor *tensor = draft_add_tensor(d, numbers[i].name, 0, NULL, 0.0);
        tensor->type = 7;
        tensor->values[0] = numbers[i].value;
    }
    struct draft_node *shape = draft_node(d, "shape");
    set(shape->in[0], "feats");
    draft_add_int(shape, "start", 1);
    draft_add_int(shape, "end", 2);
    draft_remove_node(d, "gather");
    draft_tensor(d, "last")->values[0] = 0.0F; /* the axis to squeeze, now */
    draft_add_node(d, "Squeeze", "frames", "shape", "last", NULL);
    draft_add_node(d, "Add", "less_1", "frames", "minus_1", NULL);
    draft_add_node(d, "Div", "eighth", "less_1", "8", NULL);
    draft_add_node(d, "Add", "frames_4", "eighth", "plus_1", NULL);
    set(draft_node(d, "cast")->in[0], "frames_4");
    draft_remove_node(d, "count");
}

/* ---- bytes -------------------------------------------------------------------------------- */

struct bytes {
    unsigned char *data;
    size_t n, capacity;
};

static void put(struct bytes *to, const void *data, size_t n)
{
    if (to->n + n > to->capacity) {
        to->capacity = 2 * (to->n + n) + 256;
        to->data = realloc(to->data, to->capacity);
        if (to->data == NULL)
            die("no memory for", "bytes");
    }
    if (n > 0)
        memcpy(to->data + to->n, data, n);
    to->n += n;
}

static void put_varint(struct bytes *to, uint64_t value)
{
    do {
        unsigned char byte = (unsigned char)((value & 127u) | (value > 127 ? 128u : 0u));
        put(to, &byte, 1);
        value >>= 7;
    } while (value > 0);
}

static void put_number(struct bytes *to, unsigned field, int64_t value)
{
    put_varint(to, (uint64_t)field << 3);
    put_varint(to, (uint64_t)value);
}

static void put_data(struct bytes *to, unsigned field, const void *data, size_t n)
{
    put_varint(to, (uint64_t)field << 3 | 2u);
    put_varint(to, n);
    put(to, data, n);
}

static void put_text(struct bytes *to, unsigned field, const char *text)
{
    put_data(to, field, text, strlen(text));
}

/* Takes the message that was written. */
static void put_message(struct bytes *to, unsigned field, struct bytes *message)
{
    put_data(to, field, message->data, message->n);
    free(message->data);
    *message = (struct bytes){0};
}

static void put_attribute(struct bytes *to, const struct draft_attribute *attribute)
{
    struct bytes message = {0};
    put_text(&message, 1, attribute->name);
    if (attribute->type == 1) {
        put_varint(&message, 2u << 3 | 5u);
        put(&message, &attribute->number, sizeof attribute->number);
    }
    if (attribute->type == 2)
        put_number(&message, 3, attribute->ints[0]);
    if (attribute->type == 3)
        put_text(&message, 4, attribute->text);
    if (attribute->type == 5)
        put_text(&message, 6, "");
    for (size_t i = 0; i < attribute->n_ints && attribute->type == 7; i++)
        put_number(&message, 8, attribute->ints[i]);
    if (attribute->type != 0)
        put_number(&message, 20, attribute->type);
    put_message(to, 5, &message);
}

static void put_node(struct bytes *to, const struct draft_node *node)
{
    struct bytes message = {0};
    for (size_t i = 0; i < 6 && node->in[i][0] != '\0'; i++)
        put_text(&message, 1, strcmp(node->in[i], "-") == 0 ? "" : node->in[i]);
    for (size_t i = 0; i < 2 && node->out[i][0] != '\0'; i++)
        put_text(&message, 2, node->out[i]);
    put_text(&message, 3, node->name);
    put_text(&message, 4, node->op);
    for (size_t i = 0; i < node->n_attributes; i++)
        put_attribute(&message, &node->attributes[i]);
    if (node->domain[0] != '\0')
        put_text(&message, 7, node->domain);
    put_message(to, 1, &message);
}

static void put_tensor(struct bytes *to, const struct draft_tensor *tensor)
{
    struct bytes message = {0}, data = {0};
    for (size_t i = 0; i < tensor->n_dims; i++)
        put_number(&message, 1, tensor->dims[i]);
    put_number(&message, 2, tensor->type);
    for (size_t i = 0; i < tensor->n_values; i++) {
        int64_t integer = (int64_t)tensor->values[i];
        if (tensor->type == 7 && tensor->is_typed)
            put_varint(&data, (uint64_t)integer);
        else if (tensor->type == 7)
            put(&data, &integer, sizeof integer);
        else
            put(&data, &tensor->values[i], sizeof(float));
    }
    data.n -= tensor->n_cut;
    put_text(&message, 8, tensor->name);
    if (tensor->is_external)
        put_number(&message, 14, 1);
    put_message(&message, tensor->is_typed ? (tensor->type == 7 ? 7 : 4) : 9, &data);
    put_message(to, 5, &message);
}

/* ValueInfoProto of float tensors, with a shape where dims are given. */
static void put_value(struct bytes *to, unsigned field, const char *name, const int64_t *dims)
{
    struct bytes value = {0}, type = {0}, tensor = {0}, shape = {0};
    put_number(&tensor, 1, 1);
    for (size_t i = 0; i < 3 && dims != NULL; i++) {
        struct bytes dim = {0};
        if (dims[i] >= 0)
            put_number(&dim, 1, dims[i]);
        else
            put_text(&dim, 2, "T");
        put_message(&shape, 1, &dim);
    }
    put_message(&tensor, 2, &shape);
    put_message(&type, 1, &tensor);
    put_text(&value, 1, strcmp(name, "-") == 0 ? "" : name);
    put_message(&value, 2, &type);
    put_message(to, field, &value);
}

unsigned char *draft_onnx_write(const struct draft_onnx *draft, size_t *n_bytes)
{
    struct bytes model = {0}, graph = {0}, opset = {0};
    put_number(&model, 1, draft->ir);
    put_text(&model, 2, "draft");
    for (size_t i = 0; i < draft->n_nodes; i++)
        put_node(&graph, &draft->nodes[i]);
    put_text(&graph, 2, "graph");
    for (size_t i = 0; i < draft->n_tensors; i++)
        put_tensor(&graph, &draft->tensors[i]);
    if (draft->input[0] != '\0')
        put_value(&graph, 11, draft->input, draft->input_dims);
    if (draft->second_input[0] != '\0')
        put_value(&graph, 11, draft->second_input, NULL);
    if (draft->output[0] != '\0')
        put_value(&graph, 12, draft->output, NULL);
    if (draft->second_output[0] != '\0')
        put_value(&graph, 12, draft->second_output, NULL);
    put_message(&model, 7, &graph);
    put_number(&opset, 2, draft->opset);
    put_message(&model, 8, &opset);
    for (size_t i = 0; i < 4 && draft->metadata[i][0][0] != '\0'; i++) {
        struct bytes pair = {0};
        put_text(&pair, 1, draft->metadata[i][0]);
        put_text(&pair, 2, draft->metadata[i][1]);
        put_message(&model, 14, &pair);
    }
    *n_bytes = model.n;
    return model.data;
}

void draft_set(char *text, const char *value)
{
    strcpy(text, value); /* flawfinder: ignore -- literals, shorter than the fields */
}
