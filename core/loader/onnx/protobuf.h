/*
 * The protobuf wire format, read field by field without copying: enough for ONNX files.
 *
 * A message is a run of fields; each has a number, a wire type and either a number or a run of
 * bytes (text, packed numbers, or a message of its own, read with a reader of its own: nesting is
 * the caller's, so it cannot run away). Every length is checked against the bytes that remain.
 * Groups, deprecated long before ONNX, are malformed here. Any thread.
 */
#ifndef VP_PROTOBUF_H
#define VP_PROTOBUF_H

#include "base/status.h"

struct protobuf_bytes {
    const unsigned char *data; /* borrowed from the file */
    size_t n_bytes;
};

enum protobuf_wire { PROTOBUF_VARINT = 0, PROTOBUF_I64 = 1, PROTOBUF_BYTES = 2, PROTOBUF_I32 = 5 };

struct protobuf_field {
    uint32_t number; /* never 0 */
    enum protobuf_wire wire;
    uint64_t value;              /* VARINT, I64, I32: the bits */
    struct protobuf_bytes bytes; /* BYTES */
};

enum protobuf_result { PROTOBUF_FIELD, PROTOBUF_END, PROTOBUF_MALFORMED };

/* Takes the next field off the front of *rest. */
enum protobuf_result protobuf_next(struct protobuf_bytes *rest,
                                   struct protobuf_field *out) VP_MUST_CHECK;

/* Takes a varint of up to 64 bits off the front of *rest: for packed numbers. */
bool protobuf_varint(struct protobuf_bytes *rest, uint64_t *out) VP_MUST_CHECK;

#endif
