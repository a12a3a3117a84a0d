/* The protobuf wire format: each wire type, and the edges of varints. */
#include "unit.h"

#include "loader/onnx/protobuf.h"

static void every_wire_type(void **state)
{
    (void)state;
    static const unsigned char message[] = {
        0x08, 0x96, 0x01,                                     /* 1: varint 150 */
        0x12, 0x03, 'a',  'b',  'c',                          /* 2: "abc" */
        0x1d, 0x00, 0x00, 0x80, 0x3f,                         /* 3: float 1 */
        0x21, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x80, /* 4: 64 bits */
        0xfa, 0xff, 0xff, 0xff, 0x0f, 0x00,                   /* 2^29 - 1: "" */
    };
    struct protobuf_bytes rest = {message, sizeof message};
    struct protobuf_field field;
    assert_int_equal(protobuf_next(&rest, &field), PROTOBUF_FIELD);
    assert_int_equal(field.number, 1);
    assert_int_equal(field.wire, PROTOBUF_VARINT);
    assert_int_equal(field.value, 150);
    assert_int_equal(protobuf_next(&rest, &field), PROTOBUF_FIELD);
    assert_int_equal(field.bytes.n_bytes, 3);
    assert_memory_equal(field.bytes.data, "abc", 3);
    assert_int_equal(protobuf_next(&rest, &field), PROTOBUF_FIELD);
    assert_int_equal(field.wire, PROTOBUF_I32);
    assert_int_equal(field.value, 0x3f800000);
    assert_int_equal(protobuf_next(&rest, &field), PROTOBUF_FIELD);
    assert_int_equal(field.wire, PROTOBUF_I64);
    assert_true(field.value == 0x8000000000000001u);
    assert_int_equal(protobuf_next(&rest, &field), PROTOBUF_FIELD);
    assert_int_equal(field.number, (1u << 29) - 1);
    assert_int_equal(field.bytes.n_bytes, 0);
    assert_int_equal(protobuf_next(&rest, &field), PROTOBUF_END);
}

static void varints_end_at_64_bits(void **state)
{
    (void)state;
    static const unsigned char largest[] = {0xff, 0xff, 0xff, 0xff, 0xff,
                                            0xff, 0xff, 0xff, 0xff, 0x01};
    static const unsigned char too_large[] = {0xff, 0xff, 0xff, 0xff, 0xff,
                                              0xff, 0xff, 0xff, 0xff, 0x02};
    static const unsigned char endless[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
                                            0x80, 0x80, 0x80, 0x80, 0x00};
    struct protobuf_bytes rest = {largest, sizeof largest};
    uint64_t value = 0;
    assert_true(protobuf_varint(&rest, &value));
    assert_true(value == UINT64_MAX);
    assert_int_equal(rest.n_bytes, 0);
    rest = (struct protobuf_bytes){too_large, sizeof too_large};
    assert_false(protobuf_varint(&rest, &value));
    rest = (struct protobuf_bytes){endless, sizeof endless};
    assert_false(protobuf_varint(&rest, &value));
    for (size_t n = 0; n < sizeof largest; n++) {
        rest = (struct protobuf_bytes){largest, n};
        assert_false(protobuf_varint(&rest, &value));
    }
}

static void malformed_fields(void **state)
{
    (void)state;
    static const struct {
        unsigned char bytes[4];
        size_t n;
    } messages[] = {
        {{0x00, 0x00}, 2},       /* field 0 */
        {{0x0b}, 1},             /* group */
        {{0x0f}, 1},             /* wire type 7 */
        {{0x08}, 1},             /* a number, cut */
        {{0x12, 0x03, 'a'}, 3},  /* bytes, cut */
        {{0x1d, 0x00, 0x00}, 3}, /* 32 bits, cut */
        {{0x21, 0x00}, 2},       /* 64 bits, cut */
    };
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
        struct protobuf_bytes rest = {messages[i].bytes, messages[i].n};
        struct protobuf_field field;
        assert_int_equal(protobuf_next(&rest, &field), PROTOBUF_MALFORMED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_wire_type),
        cmocka_unit_test(varints_end_at_64_bits),
        cmocka_unit_test(malformed_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
