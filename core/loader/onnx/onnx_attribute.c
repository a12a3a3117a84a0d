/* AttributeProto: field numbers are those of onnx.proto. */
#include "loader/onnx/onnx_attribute.h"

#include "base/text.h"

#include <string.h>

#define MAX_NAME_CHARS 100

enum {
    FIELD_NAME = 1,
    FIELD_FLOAT = 2,
    FIELD_INT = 3,
    FIELD_STRING = 4,
    FIELD_TENSOR = 5,
    FIELD_FLOATS = 7,
    FIELD_INTS = 8,
    FIELD_TYPE = 20
};

/* AttributeProto.AttributeType of the kinds that occur. */
static const struct {
    uint64_t code;
    enum onnx_attribute_kind kind;
} kinds[] = {
    {1, ONNX_ATTRIBUTE_FLOAT},  {2, ONNX_ATTRIBUTE_INT},    {3, ONNX_ATTRIBUTE_STRING},
    {4, ONNX_ATTRIBUTE_TENSOR}, {6, ONNX_ATTRIBUTE_FLOATS}, {7, ONNX_ATTRIBUTE_INTS},
};

static float float_of(uint64_t bits)
{
    uint32_t low = (uint32_t)bits;
    float value;
    memcpy(&value, &low, sizeof value);
    return value;
}

/* Numbers in a field of FLOATS or INTS: one, or a packed run. */
static size_t count_numbers(const struct protobuf_field *field)
{
    if (field->wire != PROTOBUF_BYTES)
        return 1;
    if (field->number == FIELD_FLOATS)
        return field->bytes.n_bytes / sizeof(float);
    size_t n = 0;
    for (size_t i = 0; i < field->bytes.n_bytes; i++)
        n += field->bytes.data[i] < 128; /* the last byte of a varint */
    return n;
}

static bool read_floats(const struct protobuf_field *field, float *out, size_t *n)
{
    if (field->wire == PROTOBUF_I32) {
        out[(*n)++] = float_of(field->value);
        return true;
    }
    if (field->wire != PROTOBUF_BYTES || field->bytes.n_bytes % sizeof *out != 0)
        return false;
    if (field->bytes.n_bytes > 0)
        memcpy(out + *n, field->bytes.data, field->bytes.n_bytes);
    *n += field->bytes.n_bytes / sizeof *out;
    return true;
}

static bool read_integers(const struct protobuf_field *field, int64_t *out, size_t *n)
{
    if (field->wire == PROTOBUF_VARINT) {
        out[(*n)++] = (int64_t)field->value;
        return true;
    }
    struct protobuf_bytes rest = field->bytes;
    bool good = field->wire == PROTOBUF_BYTES;
    while (good && rest.n_bytes > 0) {
        uint64_t value = 0;
        good = protobuf_varint(&rest, &value);
        if (good)
            out[(*n)++] = (int64_t)value;
    }
    return good;
}

static bool read_text(const struct protobuf_field *field, struct pool *pool, const char **out)
{
    char *text = pool_text(pool, (const char *)field->bytes.data, field->bytes.n_bytes);
    *out = text != NULL ? text : "";
    return text != NULL && strlen(text) == field->bytes.n_bytes &&
           text_is_printable(text, MAX_NAME_CHARS);
}

struct numbers {
    float *floats;
    int64_t *integers;
    size_t n_floats, n_integers;
};

static bool read_field(const struct protobuf_field *field, struct pool *pool,
                       struct numbers *numbers, struct onnx_attribute *out, uint64_t *type)
{
    switch (field->number) {
    case FIELD_NAME:
        return read_text(field, pool, &out->name);
    case FIELD_FLOAT:
        out->number = (double)float_of(field->value);
        return field->wire == PROTOBUF_I32;
    case FIELD_INT:
        out->integer = (int64_t)field->value;
        return field->wire == PROTOBUF_VARINT;
    case FIELD_STRING:
        return field->bytes.n_bytes == 0 || read_text(field, pool, &out->text);
    case FIELD_TENSOR:
        out->tensor = field->bytes;
        return field->wire == PROTOBUF_BYTES;
    case FIELD_FLOATS:
        return read_floats(field, numbers->floats, &numbers->n_floats);
    case FIELD_INTS:
        return read_integers(field, numbers->integers, &numbers->n_integers);
    case FIELD_TYPE:
        *type = field->value;
        return field->wire == PROTOBUF_VARINT;
    default:
        return true; /* other kinds are told by type */
    }
}

static enum vp_status allocate(struct protobuf_bytes message, struct pool *pool,
                               struct numbers *numbers, struct vp_err *err)
{
    struct protobuf_field field;
    size_t n_floats = 0, n_integers = 0;
    enum protobuf_result result;
    while ((result = protobuf_next(&message, &field)) == PROTOBUF_FIELD) {
        if (field.number == FIELD_FLOATS)
            n_floats += count_numbers(&field);
        if (field.number == FIELD_INTS)
            n_integers += count_numbers(&field);
    }
    if (result == PROTOBUF_MALFORMED)
        return status_fail(err, VP_ERR_MODEL,
                           "ONNX: an attribute is malformed; the file is damaged");
    numbers->floats = pool_alloc(pool, n_floats, sizeof *numbers->floats);
    numbers->integers = pool_alloc(pool, n_integers, sizeof *numbers->integers);
    if (numbers->floats == NULL || numbers->integers == NULL)
        return status_no_memory(err, "an attribute", n_integers * sizeof *numbers->integers);
    return VP_OK;
}

enum vp_status onnx_attribute_parse(struct protobuf_bytes message, struct pool *pool,
                                    struct onnx_attribute *out, struct vp_err *err)
{
    struct numbers numbers = {0};
    uint64_t type = 0;
    *out = (struct onnx_attribute){.name = "", .text = ""};
    enum vp_status status = allocate(message, pool, &numbers, err);
    if (status != VP_OK)
        return status;
    struct protobuf_field field;
    while (protobuf_next(&message, &field) == PROTOBUF_FIELD)
        if (!read_field(&field, pool, &numbers, out, &type))
            return status_fail(err, VP_ERR_MODEL, "ONNX: attribute '%.80s' is malformed",
                               text_is_printable(out->name, MAX_NAME_CHARS) ? out->name : "?");
    out->floats = numbers.floats;
    out->integers = numbers.integers;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (kinds[i].code == type) {
            out->kind = kinds[i].kind;
            out->n_values =
                out->kind == ONNX_ATTRIBUTE_INTS ? numbers.n_integers : numbers.n_floats;
            return VP_OK;
        }
    return status_fail(
        err, VP_ERR_MODEL,
        "ONNX: attribute '%.80s' is a sub-graph or of a kind that no such network has", out->name);
}
