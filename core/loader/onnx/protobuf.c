/* The protobuf wire format. */
#include "loader/onnx/protobuf.h"

#include <string.h>

#define MAX_FIELD_NUMBER ((1u << 29) - 1) /* the format's own limit */

bool protobuf_varint(struct protobuf_bytes *rest, uint64_t *out)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && rest->n_bytes > 0; shift += 7) {
        uint64_t byte = *rest->data++;
        rest->n_bytes--;
        if (shift == 63 && byte > 1)
            return false; /* a 65th bit */
        value |= (byte & 127u) << shift;
        if (byte < 128) {
            *out = value;
            return true;
        }
    }
    return false; /* no end in ten bytes, or cut */
}

static bool take_bytes(struct protobuf_bytes *rest, uint64_t n_bytes, struct protobuf_bytes *out)
{
    if (n_bytes > rest->n_bytes)
        return false;
    *out = (struct protobuf_bytes){rest->data, (size_t)n_bytes};
    rest->data += n_bytes;
    rest->n_bytes -= (size_t)n_bytes;
    return true;
}

static bool take_fixed(struct protobuf_bytes *rest, size_t n_bytes, uint64_t *out)
{
    struct protobuf_bytes bits;
    *out = 0;
    if (!take_bytes(rest, n_bytes, &bits))
        return false;
    memcpy(out, bits.data, n_bytes); /* little-endian, as the wire is */
    return true;
}

enum protobuf_result protobuf_next(struct protobuf_bytes *rest, struct protobuf_field *out)
{
    *out = (struct protobuf_field){0};
    if (rest->n_bytes == 0)
        return PROTOBUF_END;
    uint64_t tag = 0;
    if (!protobuf_varint(rest, &tag) || tag >> 3 == 0 || tag >> 3 > MAX_FIELD_NUMBER)
        return PROTOBUF_MALFORMED;
    out->number = (uint32_t)(tag >> 3);
    bool whole = false;
    switch (tag & 7u) {
    case PROTOBUF_VARINT:
        out->wire = PROTOBUF_VARINT;
        whole = protobuf_varint(rest, &out->value);
        break;
    case PROTOBUF_I64:
        out->wire = PROTOBUF_I64;
        whole = take_fixed(rest, 8, &out->value);
        break;
    case PROTOBUF_I32:
        out->wire = PROTOBUF_I32;
        whole = take_fixed(rest, 4, &out->value);
        break;
    case PROTOBUF_BYTES:
        out->wire = PROTOBUF_BYTES;
        whole = protobuf_varint(rest, &out->value) && take_bytes(rest, out->value, &out->bytes);
        break;
    default:
        break;
    }
    return whole ? PROTOBUF_FIELD : PROTOBUF_MALFORMED;
}
