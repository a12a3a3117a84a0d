/* NodeProto: field numbers are those of onnx.proto. */
#include "loader/onnx/onnx_node.h"

#include "loader/onnx/onnx_attribute.h"
#include "loader/onnx/onnx_field.h"

#include <string.h>

#define MAX_ATTRIBUTES 32u /* Conv has six */

enum {
    FIELD_INPUT = 1,
    FIELD_OUTPUT = 2,
    FIELD_NAME = 3,
    FIELD_OP_TYPE = 4,
    FIELD_ATTRIBUTE = 5,
    FIELD_DOMAIN = 7,
    N_FIELDS
};

static enum vp_status read_field(const struct protobuf_field *field, struct pool *pool,
                                 struct onnx_node *node, struct vp_err *err)
{
    const char *domain = "";
    enum vp_status status = VP_OK;
    switch (field->number) {
    case FIELD_INPUT:
        return onnx_field_text(field, "an edge's name", pool, &node->input_names[node->n_inputs++],
                               err);
    case FIELD_OUTPUT:
        return onnx_field_text(field, "an edge's name", pool,
                               &node->output_names[node->n_outputs++], err);
    case FIELD_NAME:
        return onnx_field_text(field, "a node's name", pool, &node->name, err);
    case FIELD_OP_TYPE:
        return onnx_field_text(field, "an operator's name", pool, &node->op, err);
    case FIELD_ATTRIBUTE:
        if (field->wire != PROTOBUF_BYTES)
            return onnx_field_malformed("an attribute", err);
        return onnx_attribute_parse(field->bytes, pool, &node->attributes[node->n_attributes++],
                                    err);
    case FIELD_DOMAIN:
        status = onnx_field_text(field, "an operator's domain", pool, &domain, err);
        if (status == VP_OK && domain[0] != '\0' && strcmp(domain, "ai.onnx") != 0)
            return status_fail(err, VP_ERR_MODEL,
                               strstr(node->op, "Quantize") != NULL
                                   ? "ONNX: an operator of domain '%.60s' in a quantized (int8) "
                                     "export; take the float32 model"
                                   : "ONNX: an operator of domain '%.60s' is unknown",
                               domain);
        return status;
    default:
        return VP_OK; /* doc strings and other remarks */
    }
}

enum vp_status onnx_node_parse(struct protobuf_bytes message, struct pool *pool,
                               struct onnx_node *node, struct vp_err *err)
{
    size_t counts[N_FIELDS];
    enum vp_status status = onnx_field_count(message, "a node", counts, N_FIELDS, err);
    if (status != VP_OK)
        return status;
    if (counts[FIELD_ATTRIBUTE] > MAX_ATTRIBUTES)
        return status_fail(err, VP_ERR_MODEL, "ONNX: a node has %zu attributes",
                           counts[FIELD_ATTRIBUTE]);
    *node = (struct onnx_node){.name = "", .op = ""};
    node->input_names = pool_alloc(pool, counts[FIELD_INPUT], sizeof *node->input_names);
    node->output_names = pool_alloc(pool, counts[FIELD_OUTPUT], sizeof *node->output_names);
    node->attributes = pool_alloc(pool, counts[FIELD_ATTRIBUTE], sizeof *node->attributes);
    if (node->input_names == NULL || node->output_names == NULL || node->attributes == NULL)
        return status_no_memory(err, "a node", message.n_bytes);
    struct protobuf_field field;
    while (status == VP_OK && protobuf_next(&message, &field) == PROTOBUF_FIELD)
        status = read_field(&field, pool, node, err);
    if (status != VP_OK)
        return status;
    if (node->op[0] == '\0' || node->n_outputs == 0 || node->output_names[0][0] == '\0')
        return status_fail(err, VP_ERR_MODEL, "ONNX: node '%.100s' has no %s", node->name,
                           node->op[0] == '\0' ? "operator" : "output");
    if (node->name[0] == '\0')
        node->name = node->output_names[0];
    for (size_t i = 0; i < node->n_attributes; i++)
        if (onnx_attribute(node, node->attributes[i].name) != &node->attributes[i])
            return status_fail(err, VP_ERR_MODEL, "ONNX: node '%.80s' has two attributes '%.80s'",
                               node->name, node->attributes[i].name);
    return VP_OK;
}
