/* ModelProto and GraphProto: field numbers are those of onnx.proto. */
#include "loader/onnx/onnx.h"

#include "loader/onnx/onnx_field.h"
#include "loader/onnx/onnx_link.h"
#include "loader/onnx/onnx_node.h"
#include "loader/onnx/onnx_tensor.h"

#include <string.h>

#define MIN_OPSET 11
#define MAX_OPSET 20
#define MIN_IR    6
#define MAX_IR    10
#define MAX_NODES 50000u /* ResNet293 with BatchNormalization and Constant nodes: 2,000 */

/* What is being filled, and where the sentence goes. */
struct reader {
    struct onnx_graph *graph;
    struct metadata *metadata;
    struct vp_err *err;
};

static enum vp_status malformed(const struct reader *r, const char *what)
{
    return onnx_field_malformed(what, r->err);
}

/* A field that must be text: printable, "" allowed. */
static enum vp_status read_text(const struct reader *r, const struct protobuf_field *field,
                                const char *what, const char **out)
{
    return onnx_field_text(field, what, &r->graph->pool, out, r->err);
}

/* A Constant node states a tensor, and is kept as one. */
static enum vp_status read_constant(const struct reader *r, const struct onnx_node *node)
{
    struct tensor *out = &r->graph->tensors[r->graph->n_tensors++];
    const char *name = node->output_names[0];
    struct pool *pool = &r->graph->pool;
    struct onnx_values values = {0};
    const struct onnx_attribute *a = node->n_attributes == 1 ? &node->attributes[0] : NULL;
    if (a == NULL || node->n_inputs != 0 || node->n_outputs != 1)
        return status_fail(r->err, VP_ERR_MODEL, "ONNX: Constant '%.100s' does not state one value",
                           node->name);
    switch (a->kind) {
    case ONNX_ATTRIBUTE_TENSOR:
        return onnx_tensor_parse(a->tensor, name, pool, out, r->err);
    case ONNX_ATTRIBUTE_FLOAT:
        values = (struct onnx_values){&a->number, 1, 0, TENSOR_F64};
        break;
    case ONNX_ATTRIBUTE_INT:
        values = (struct onnx_values){&a->integer, 1, 0, TENSOR_I64};
        break;
    case ONNX_ATTRIBUTE_FLOATS:
        values = (struct onnx_values){a->floats, a->n_values, 1, TENSOR_F32};
        break;
    case ONNX_ATTRIBUTE_INTS:
        values = (struct onnx_values){a->integers, a->n_values, 1, TENSOR_I64};
        break;
    case ONNX_ATTRIBUTE_STRING:
        return status_fail(r->err, VP_ERR_MODEL, "ONNX: Constant '%.100s' is a text", node->name);
    }
    return onnx_tensor_of(&values, name, pool, out, r->err);
}

/* ---- inputs and outputs ------------------------------------------------------------------- */

/* The bytes of field `number` of the message, empty when there is none. */
static enum vp_status sub_message(const struct reader *r, struct protobuf_bytes message,
                                  uint32_t number, struct protobuf_bytes *out)
{
    struct protobuf_field field;
    enum protobuf_result result;
    *out = (struct protobuf_bytes){0};
    while ((result = protobuf_next(&message, &field)) == PROTOBUF_FIELD)
        if (field.number == number && field.wire == PROTOBUF_BYTES)
            *out = field.bytes;
    return result == PROTOBUF_END ? VP_OK : malformed(r, "the type of an input or output");
}

/* TypeProto -> shape of the graph's input: [batch, frames, mels], -1 where the file leaves it open.
 */
static enum vp_status read_input_shape(const struct reader *r, struct protobuf_bytes type)
{
    enum { TYPE_TENSOR = 1, TENSOR_SHAPE = 2, SHAPE_DIM = 1, DIM_VALUE = 1 };
    struct protobuf_bytes tensor, shape;
    struct protobuf_field field, dim;
    enum vp_status status = sub_message(r, type, TYPE_TENSOR, &tensor);
    if (status == VP_OK)
        status = sub_message(r, tensor, TENSOR_SHAPE, &shape);
    if (status != VP_OK)
        return status;
    struct onnx_graph *graph = r->graph;
    enum protobuf_result result;
    while ((result = protobuf_next(&shape, &field)) == PROTOBUF_FIELD) {
        if (field.number != SHAPE_DIM || graph->n_input_dims == TENSOR_MAX_DIMS)
            return malformed(r, "the input's shape");
        int64_t value = -1;
        while ((result = protobuf_next(&field.bytes, &dim)) == PROTOBUF_FIELD)
            if (dim.number == DIM_VALUE && dim.wire == PROTOBUF_VARINT)
                value = (int64_t)dim.value;
        if (result == PROTOBUF_MALFORMED)
            return malformed(r, "the input's shape");
        graph->input_dims[graph->n_input_dims++] = value;
    }
    return result == PROTOBUF_END ? VP_OK : malformed(r, "the input's shape");
}

enum { VALUE_NAME = 1, VALUE_TYPE = 2 };

static enum vp_status read_value_name(const struct reader *r, struct protobuf_bytes message,
                                      const char **out)
{
    struct protobuf_field field;
    *out = "";
    while (protobuf_next(&message, &field) == PROTOBUF_FIELD)
        if (field.number == VALUE_NAME) {
            enum vp_status status = read_text(r, &field, "an input's or output's name", out);
            if (status != VP_OK)
                return status;
        }
    if ((*out)[0] != '\0')
        return VP_OK;
    return status_fail(r->err, VP_ERR_MODEL, "ONNX: an input or output has no name");
}

/* Older files list the initialisers among the inputs: the one that is none is the input. */
static enum vp_status read_input(const struct reader *r, struct protobuf_bytes message)
{
    const char *name = "";
    enum vp_status status = read_value_name(r, message, &name);
    if (status != VP_OK)
        return status;
    for (size_t i = 0; i < r->graph->n_tensors; i++)
        if (strcmp(r->graph->tensors[i].name, name) == 0)
            return VP_OK;
    if (r->graph->input_name != NULL)
        return status_fail(r->err, VP_ERR_MODEL,
                           "ONNX: the graph has two inputs, '%.80s' and '%.80s'; one is needed",
                           r->graph->input_name, name);
    r->graph->input_name = name;
    struct protobuf_bytes type;
    status = sub_message(r, message, VALUE_TYPE, &type);
    return status != VP_OK ? status : read_input_shape(r, type);
}

static enum vp_status read_output(const struct reader *r, struct protobuf_bytes message)
{
    if (r->graph->output_name != NULL)
        return status_fail(r->err, VP_ERR_MODEL,
                           "ONNX: the graph has two outputs; the embedding alone is needed");
    return read_value_name(r, message, &r->graph->output_name);
}

/* ---- graph and model ---------------------------------------------------------------------- */

enum {
    GRAPH_NODE = 1,
    GRAPH_INITIALIZER = 5,
    GRAPH_INPUT = 11,
    GRAPH_OUTPUT = 12,
    GRAPH_SPARSE_INITIALIZER = 15,
    GRAPH_N_NUMBERS
};

static enum vp_status read_graph_field(const struct reader *r, const struct protobuf_field *field)
{
    struct onnx_graph *graph = r->graph;
    if (field->wire != PROTOBUF_BYTES)
        return malformed(r, "the graph");
    if (field->number == GRAPH_NODE) {
        struct onnx_node *node = &graph->nodes[graph->n_nodes];
        enum vp_status status = onnx_node_parse(field->bytes, &graph->pool, node, r->err);
        if (status == VP_OK && strcmp(node->op, "Constant") == 0)
            return read_constant(r, node); /* its place in nodes is taken by the next */
        graph->n_nodes++;
        return status;
    }
    if (field->number == GRAPH_INITIALIZER)
        return onnx_tensor_parse(field->bytes, NULL, &graph->pool,
                                 &graph->tensors[graph->n_tensors++], r->err);
    return field->number == GRAPH_OUTPUT ? read_output(r, field->bytes) : VP_OK;
}

static enum vp_status read_graph(const struct reader *r, struct protobuf_bytes message)
{
    struct onnx_graph *graph = r->graph;
    size_t counts[GRAPH_N_NUMBERS];
    enum vp_status status = onnx_field_count(message, "the graph", counts, GRAPH_N_NUMBERS, r->err);
    if (status != VP_OK)
        return status;
    size_t n_tensors = counts[GRAPH_INITIALIZER] + counts[GRAPH_NODE];
    if (counts[GRAPH_SPARSE_INITIALIZER] > 0)
        return status_fail(r->err, VP_ERR_MODEL, "ONNX: the graph has sparse tensors");
    if (n_tensors > MAX_NODES || counts[GRAPH_INPUT] > MAX_NODES)
        return status_fail(r->err, VP_ERR_MODEL,
                           "ONNX: the graph has more nodes than any such network");
    graph->nodes = pool_alloc(&graph->pool, counts[GRAPH_NODE], sizeof *graph->nodes);
    graph->tensors = pool_alloc(&graph->pool, n_tensors, sizeof *graph->tensors);
    if (graph->nodes == NULL || graph->tensors == NULL)
        return status_no_memory(r->err, "the graph", n_tensors * sizeof *graph->tensors);
    struct protobuf_field field;
    struct protobuf_bytes rest = message;
    while (status == VP_OK && protobuf_next(&rest, &field) == PROTOBUF_FIELD)
        status = read_graph_field(r, &field);
    /* Inputs last: which of them are initialisers is known now. */
    while (status == VP_OK && protobuf_next(&message, &field) == PROTOBUF_FIELD)
        if (field.number == GRAPH_INPUT)
            status = read_input(r, field.bytes);
    if (status == VP_OK && (graph->input_name == NULL || graph->output_name == NULL))
        status = status_fail(r->err, VP_ERR_MODEL, "ONNX: the graph has no %s",
                             graph->input_name == NULL ? "input" : "output");
    return status;
}

/* StringStringEntryProto */
static enum vp_status read_metadata(const struct reader *r, struct protobuf_bytes message)
{
    enum { ENTRY_KEY = 1, ENTRY_VALUE = 2 };
    const char *key = "", *value = "";
    struct protobuf_field field;
    enum protobuf_result result;
    while ((result = protobuf_next(&message, &field)) == PROTOBUF_FIELD) {
        if (field.wire != PROTOBUF_BYTES ||
            (field.number != ENTRY_KEY && field.number != ENTRY_VALUE))
            continue;
        size_t n_chars = field.bytes.n_bytes;
        char *text = pool_text(&r->graph->pool, (const char *)field.bytes.data, n_chars);
        if (text == NULL)
            return status_no_memory(r->err, "metadata", n_chars);
        if (field.number == ENTRY_KEY)
            key = text;
        else
            value = text;
    }
    return result == PROTOBUF_END ? metadata_set(r->metadata, key, value, r->err)
                                  : malformed(r, "the metadata");
}

/* OperatorSetIdProto: other domains may be named, as long as no node is of them. */
static enum vp_status check_opset(const struct reader *r, struct protobuf_bytes message)
{
    enum { OPSET_DOMAIN = 1, OPSET_VERSION = 2 };
    const char *domain = "";
    uint64_t version = 0;
    struct protobuf_field field;
    enum protobuf_result result;
    while ((result = protobuf_next(&message, &field)) == PROTOBUF_FIELD) {
        if (field.number == OPSET_VERSION)
            version = field.value;
        else if (field.number == OPSET_DOMAIN) {
            enum vp_status status = read_text(r, &field, "an operator set's domain", &domain);
            if (status != VP_OK)
                return status;
        }
    }
    if (result == PROTOBUF_MALFORMED)
        return malformed(r, "an operator set");
    bool is_default = domain[0] == '\0' || strcmp(domain, "ai.onnx") == 0;
    if (!is_default || (version >= MIN_OPSET && version <= MAX_OPSET))
        return VP_OK;
    return status_fail(r->err, VP_ERR_MODEL,
                       "ONNX: operator set %ju; export with one from %d to %d", (uintmax_t)version,
                       MIN_OPSET, MAX_OPSET);
}

enum {
    MODEL_IR_VERSION = 1,
    MODEL_GRAPH = 7,
    MODEL_OPSET_IMPORT = 8,
    MODEL_METADATA = 14,
    MODEL_TRAINING = 20,
    MODEL_FUNCTIONS = 25,
    MODEL_N_NUMBERS
};

static enum vp_status read_model_field(const struct reader *r, const struct protobuf_field *field)
{
    if (field->number == MODEL_IR_VERSION) {
        if (field->wire == PROTOBUF_VARINT && field->value >= MIN_IR && field->value <= MAX_IR)
            return VP_OK;
        return status_fail(r->err, VP_ERR_MODEL, "ONNX: IR version %ju; %d to %d are read",
                           (uintmax_t)field->value, MIN_IR, MAX_IR);
    }
    bool is_known = field->number == MODEL_GRAPH || field->number == MODEL_OPSET_IMPORT ||
                    field->number == MODEL_METADATA;
    if (is_known && field->wire != PROTOBUF_BYTES)
        return malformed(r, "the model");
    switch (field->number) {
    case MODEL_GRAPH:
        return read_graph(r, field->bytes);
    case MODEL_OPSET_IMPORT:
        return check_opset(r, field->bytes);
    case MODEL_METADATA:
        return read_metadata(r, field->bytes);
    case MODEL_TRAINING:
    case MODEL_FUNCTIONS:
        return status_fail(r->err, VP_ERR_MODEL, "ONNX: the model carries %s; export it inlined",
                           field->number == MODEL_TRAINING ? "training graphs" : "local functions");
    default:
        return VP_OK; /* producer, version, doc strings */
    }
}

enum vp_status onnx_open(const void *bytes, size_t n_bytes, struct onnx_graph *out,
                         struct metadata *metadata, struct vp_err *err)
{
    *out = (struct onnx_graph){0};
    const struct reader r = {.graph = out, .metadata = metadata, .err = err};
    struct protobuf_bytes message = {bytes, n_bytes};
    size_t counts[MODEL_N_NUMBERS];
    enum vp_status status = onnx_field_count(message, "the file", counts, MODEL_N_NUMBERS, err);
    if (status != VP_OK)
        return status_fail(err, VP_ERR_MODEL,
                           "this is no safetensors file and no whole ONNX file: it is cut, damaged "
                           "or something else");
    if (counts[MODEL_IR_VERSION] != 1 || counts[MODEL_GRAPH] != 1 ||
        counts[MODEL_OPSET_IMPORT] == 0)
        return status_fail(err, VP_ERR_MODEL,
                           "ONNX: the file states no IR version, operator set or graph");
    struct protobuf_field field;
    while (status == VP_OK && protobuf_next(&message, &field) == PROTOBUF_FIELD)
        status = read_model_field(&r, &field);
    return status == VP_OK ? onnx_link(out, err) : status;
}

void onnx_close(struct onnx_graph *graph)
{
    pool_free(&graph->pool);
    *graph = (struct onnx_graph){0};
}
