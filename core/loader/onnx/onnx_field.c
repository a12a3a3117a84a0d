/* Fields of ONNX messages. */
#include "loader/onnx/onnx_field.h"

#include "base/text.h"
#include "loader/tensor.h"

#include <string.h>

#define MAX_NAME_CHARS 250

enum vp_status onnx_field_malformed(const char *what, struct vp_err *err)
{
    return status_fail(err, VP_ERR_MODEL, "ONNX: %s is malformed; the file is cut or damaged",
                       what);
}

enum vp_status onnx_field_text(const struct protobuf_field *field, const char *what,
                               struct pool *pool, const char **out, struct vp_err *err)
{
    size_t n_chars = field->bytes.n_bytes;
    if (field->wire != PROTOBUF_BYTES)
        return onnx_field_malformed(what, err);
    char *text = pool_text(pool, (const char *)field->bytes.data, n_chars);
    if (text == NULL)
        return status_no_memory(err, what, n_chars);
    *out = text;
    if (n_chars == 0 || (strlen(text) == n_chars && text_is_printable(text, MAX_NAME_CHARS)))
        return VP_OK;
    return status_fail(err, VP_ERR_MODEL, "ONNX: %s is not printable text", what);
}

enum vp_status onnx_field_count(struct protobuf_bytes message, const char *what, size_t *counts,
                                size_t n_numbers, struct vp_err *err)
{
    struct protobuf_field field;
    enum protobuf_result result;
    memset(counts, 0, n_numbers * sizeof *counts);
    while ((result = protobuf_next(&message, &field)) == PROTOBUF_FIELD)
        if (field.number < n_numbers)
            counts[field.number]++;
    return result == PROTOBUF_END ? VP_OK : onnx_field_malformed(what, err);
}
