/* TensorProto: field numbers are those of onnx.proto. */
#include "loader/onnx/onnx_tensor.h"

#include "loader/onnx/onnx_field.h"

#include <string.h>

enum {
    FIELD_DIMS = 1,
    FIELD_DATA_TYPE = 2,
    FIELD_SEGMENT = 3,
    FIELD_FLOAT_DATA = 4,
    FIELD_INT32_DATA = 5,
    FIELD_INT64_DATA = 7,
    FIELD_NAME = 8,
    FIELD_RAW_DATA = 9,
    FIELD_DOUBLE_DATA = 10,
    FIELD_EXTERNAL_DATA = 13,
    FIELD_DATA_LOCATION = 14
};

/* TensorProto.DataType, and the typed field that may hold the values instead of raw_data. */
static const struct {
    uint64_t code;
    enum tensor_type type;
    uint32_t field;
} types[] = {
    {1, TENSOR_F32, FIELD_FLOAT_DATA},   {6, TENSOR_I32, FIELD_INT32_DATA},
    {7, TENSOR_I64, FIELD_INT64_DATA},   {9, TENSOR_BOOL, FIELD_INT32_DATA},
    {11, TENSOR_F64, FIELD_DOUBLE_DATA},
};

/* What the fields of the message say, before it is put together. */
struct draft {
    uint64_t data_type;
    bool is_external;
    size_t n_data; /* data fields met: exactly one is right, none for a tensor without values */
    struct protobuf_field data;
};

static enum vp_status malformed(struct vp_err *err, const char *name)
{
    return status_fail(err, VP_ERR_MODEL, "ONNX: tensor '%.100s' is malformed; the file is damaged",
                       name);
}

static bool add_dim(struct tensor *tensor, uint64_t dim)
{
    if (tensor->n_dims == TENSOR_MAX_DIMS || dim > INT64_MAX)
        return false;
    tensor->dims[tensor->n_dims++] = (size_t)dim;
    return true;
}

/* One dimension, or a packed run of them. */
static bool add_dims(struct tensor *tensor, const struct protobuf_field *field)
{
    if (field->wire == PROTOBUF_VARINT)
        return add_dim(tensor, field->value);
    struct protobuf_bytes rest = field->bytes;
    bool good = field->wire == PROTOBUF_BYTES;
    while (good && rest.n_bytes > 0) {
        uint64_t dim = 0;
        good = protobuf_varint(&rest, &dim) && add_dim(tensor, dim);
    }
    return good;
}

static enum vp_status read_field(const struct protobuf_field *field, struct pool *pool,
                                 struct tensor *tensor, struct draft *draft, struct vp_err *err)
{
    switch (field->number) {
    case FIELD_DIMS:
        return add_dims(tensor, field) ? VP_OK : malformed(err, tensor->name);
    case FIELD_DATA_TYPE:
        draft->data_type = field->value;
        return VP_OK;
    case FIELD_NAME:
        return field->bytes.n_bytes > 0
                   ? onnx_field_text(field, "a tensor's name", pool, &tensor->name, err)
                   : VP_OK;
    case FIELD_SEGMENT:
    case FIELD_EXTERNAL_DATA:
        draft->is_external = true;
        return VP_OK;
    case FIELD_DATA_LOCATION:
        draft->is_external |= field->value != 0;
        return VP_OK;
    case FIELD_FLOAT_DATA:
    case FIELD_INT32_DATA:
    case FIELD_INT64_DATA:
    case FIELD_DOUBLE_DATA:
    case FIELD_RAW_DATA:
        draft->n_data++;
        draft->data = *field;
        return VP_OK;
    default:
        return VP_OK; /* doc strings; string_data leaves the tensor without values */
    }
}

/* int32_data and int64_data: packed varints -> pool memory of the tensor's own type. */
static enum vp_status unpack_varints(struct protobuf_bytes rest, struct pool *pool,
                                     struct tensor *tensor, struct vp_err *err)
{
    size_t value_bytes = tensor_type_bytes(tensor->type);
    if (tensor->n_values > rest.n_bytes) /* each takes a byte at least */
        return malformed(err, tensor->name);
    unsigned char *values = pool_alloc(pool, tensor->n_values, value_bytes);
    if (values == NULL)
        return status_no_memory(err, "a tensor", tensor->n_values * value_bytes);
    for (size_t i = 0; i < tensor->n_values; i++) {
        uint64_t bits = 0;
        if (!protobuf_varint(&rest, &bits))
            return malformed(err, tensor->name);
        memcpy(values + i * value_bytes, &bits, value_bytes); /* low bytes first */
    }
    tensor->data = values;
    return rest.n_bytes == 0 ? VP_OK : malformed(err, tensor->name);
}

static enum vp_status place_data(const struct draft *draft, uint32_t typed_field, struct pool *pool,
                                 struct tensor *tensor, struct vp_err *err)
{
    if (draft->n_data > 1 || (draft->n_data == 1 && draft->data.wire != PROTOBUF_BYTES))
        return status_fail(err, VP_ERR_MODEL,
                           "ONNX: tensor '%.100s' gives its values in pieces; save it again with "
                           "raw_data",
                           tensor->name);
    bool is_raw = draft->data.number == FIELD_RAW_DATA;
    if (draft->n_data == 1 && !is_raw && draft->data.number != typed_field)
        return status_fail(err, VP_ERR_MODEL,
                           "ONNX: tensor '%.100s' has values of another type than it claims",
                           tensor->name);
    if (typed_field == FIELD_INT32_DATA || typed_field == FIELD_INT64_DATA)
        if (!is_raw && draft->n_data == 1)
            return unpack_varints(draft->data.bytes, pool, tensor, err);
    size_t n_bytes = 0;
    if (!size_multiply(tensor->n_values, tensor_type_bytes(tensor->type), &n_bytes) ||
        n_bytes != draft->data.bytes.n_bytes)
        return status_fail(err, VP_ERR_MODEL,
                           "ONNX: tensor '%.100s' has %zu bytes of data, which is not what its "
                           "shape takes",
                           tensor->name, draft->data.bytes.n_bytes);
    static const unsigned char nothing[1] = {0};
    tensor->data = n_bytes > 0 ? draft->data.bytes.data : nothing;
    return VP_OK;
}

enum vp_status onnx_tensor_parse(struct protobuf_bytes message, const char *name, struct pool *pool,
                                 struct tensor *out, struct vp_err *err)
{
    struct draft draft = {0};
    struct protobuf_field field;
    enum protobuf_result result;
    *out = (struct tensor){.name = name != NULL ? name : "(no name)"};
    while ((result = protobuf_next(&message, &field)) == PROTOBUF_FIELD) {
        enum vp_status status = read_field(&field, pool, out, &draft, err);
        if (status != VP_OK)
            return status;
    }
    if (result == PROTOBUF_MALFORMED)
        return malformed(err, out->name);
    if (name != NULL)
        out->name = name;
    else if (strcmp(out->name, "(no name)") == 0)
        return status_fail(err, VP_ERR_MODEL, "ONNX: an initialiser has no name");
    if (draft.is_external)
        return status_fail(err, VP_ERR_MODEL,
                           "ONNX: tensor '%.100s' keeps its data in another file; save the model "
                           "as one file",
                           out->name);
    if (!size_product(out->dims, out->n_dims, &out->n_values))
        return status_fail(err, VP_ERR_MODEL, "ONNX: tensor '%.100s' has a shape beyond all memory",
                           out->name);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (types[i].code == draft.data_type) {
            out->type = types[i].type;
            return place_data(&draft, types[i].field, pool, out, err);
        }
    return status_fail(err, VP_ERR_MODEL,
                       "ONNX: tensor '%.100s' has data type %ju; the network is float32 throughout",
                       out->name, (uintmax_t)draft.data_type);
}

enum vp_status onnx_tensor_of(const struct onnx_values *values, const char *name, struct pool *pool,
                              struct tensor *out, struct vp_err *err)
{
    const size_t n = values->n, value_bytes = tensor_type_bytes(values->type);
    unsigned char *copy = pool_alloc(pool, n, value_bytes);
    if (copy == NULL)
        return status_no_memory(err, "a constant", n * value_bytes);
    if (n > 0)
        memcpy(copy, values->values, n * value_bytes);
    *out = (struct tensor){.name = name,
                           .type = values->type,
                           .n_dims = values->n_dims,
                           .dims = {values->n_dims == 1 ? n : 0},
                           .n_values = n,
                           .data = copy};
    return VP_OK;
}
