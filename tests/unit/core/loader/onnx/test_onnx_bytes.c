/* ONNX files as bytes: cut anywhere, any bit flipped, broken wire format, nesting. */
#include "unit.h"

#include "draft_onnx.h"
#include "loader/net_load.h"

/* Cut anywhere, the file must be refused; it is whole only at its end. */
static void cut_files_are_refused(void **state)
{
    (void)state;
    struct draft_onnx *draft = draft_onnx_new();
    size_t n_bytes;
    unsigned char *bytes = draft_onnx_write(draft, &n_bytes);
    free(draft);
    for (size_t n = 0; n < n_bytes; n += n < 300 ? 1 : 37) {
        unsigned char *cut = malloc(n + 1); /* its own block: ASan sees a step beyond */
        assert_non_null(cut);
        memcpy(cut, bytes, n);
        struct net *net = NULL;
        struct vp_err err = {0};
        const char *format;
        assert_int_equal(net_load_bytes(cut, n, &net, &format, &err), VP_ERR_MODEL);
        assert_null(net);
        assert_true(err.message[0] != '\0');
        free(cut);
    }
    free(bytes);
}

/* A flipped bit must never crash; where it leaves a valid file, the net is a checked one. */
static void flipped_bits_do_no_harm(void **state)
{
    (void)state;
    struct draft_onnx *draft = draft_onnx_new();
    size_t n_bytes, n_refused = 0, n_tried = 0;
    unsigned char *bytes = draft_onnx_write(draft, &n_bytes);
    free(draft);
    for (size_t i = 0; i < n_bytes; i++) {
        unsigned char bit = (unsigned char)(1u << (i * 7 % 8));
        bytes[i] ^= bit;
        struct net *net = NULL;
        struct vp_err err = {0};
        const char *format;
        enum vp_status status = net_load_bytes(bytes, n_bytes, &net, &format, &err);
        assert_true((status == VP_OK) == (net != NULL));
        assert_true(status == VP_OK || err.message[0] != '\0');
        n_refused += status != VP_OK;
        n_tried++;
        net_free(net);
        bytes[i] ^= bit;
    }
    assert_true(n_refused > n_tried / 4); /* the rest are weights that stay finite */
    free(bytes);
}

/* The wire format's own traps, as whole files of 64 bytes and more. */
static void broken_wire_is_refused(void **state)
{
    (void)state;
    static const struct {
        unsigned char head[12];
        size_t n;
    } wires[] = {
        {{0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, 12}, /* varint */
        {{0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02}, 11}, /* 65 bits */
        {{0x3a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, 11}, /* length */
        {{0x3a, 0x7f}, 2},                   /* longer than the rest */
        {{0x3b}, 1},                         /* group */
        {{0x3e}, 1},                         /* wire type 6 */
        {{0x00, 0x01}, 2},                   /* field 0 */
        {{0xf8, 0xff, 0xff, 0xff, 0x7f}, 5}, /* field beyond 2^29 */
    };
    for (size_t i = 0; i < sizeof wires / sizeof wires[0]; i++) {
        unsigned char file[80];
        memset(file, 0x0f, sizeof file); /* wire type 7: never valid */
        memcpy(file, wires[i].head, wires[i].n);
        struct net *net = NULL;
        struct vp_err err = {0};
        const char *format;
        assert_int_equal(net_load_bytes(file, sizeof file, &net, &format, &err), VP_ERR_MODEL);
        assert_non_null(strstr(err.message, "no whole ONNX file"));
    }
}

/* A graph inside a graph inside a graph: nesting is data here, not recursion. */
static void deep_nesting_is_harmless(void **state)
{
    (void)state;
    size_t n_bytes = 1 << 20;
    unsigned char *file = malloc(n_bytes);
    assert_non_null(file);
    size_t at = n_bytes; /* from the inside out: 0x3a, length in three bytes */
    while (at >= 4) {
        size_t n_inside = n_bytes - at;
        file[--at] = (unsigned char)(n_inside >> 14 & 127u);
        file[--at] = (unsigned char)(n_inside >> 7 | 128u);
        file[--at] = (unsigned char)(n_inside | 128u);
        file[--at] = 0x3a;
    }
    struct net *net = NULL;
    struct vp_err err = {0};
    const char *format;
    assert_int_equal(net_load_bytes(file + at, n_bytes - at, &net, &format, &err), VP_ERR_MODEL);
    assert_true(err.message[0] != '\0');
    free(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut_files_are_refused),
        cmocka_unit_test(flipped_bits_do_no_harm),
        cmocka_unit_test(broken_wire_is_refused),
        cmocka_unit_test(deep_nesting_is_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
