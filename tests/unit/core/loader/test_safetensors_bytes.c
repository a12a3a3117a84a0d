/* Safetensors files that are cut, flipped, or have headers that no library would write. */
#include "unit.h"

#include "loader/digest.h"
#include "network/net.h"
#include "spoilt.h"

/* Headers that no JSON library would write: length, text, length and text. */
static void spoiled_headers_are_refused(void **state)
{
    (void)state;
    static const struct {
        uint64_t n_header;
        const char *text;
        const char *sentence;
    } headers[] = {
        {0x7b, "{", "claims 123 bytes, the file has 80"},
        {UINT64_MAX, "{", "claims 18446744073709551615 bytes"},
        {INT64_MAX, "{", "claims 9223372036854775807 bytes"},
        {80, "{\"a\": ", "no valid JSON"},
        {80, "{}{", "no valid JSON"},
        {80, "{\"a\": 1, \"a\": 2}", "duplicate object key"},
        {80, "{\"a\": 99999999999999999999}", "no valid JSON: too big integer"},
        {80, "{\"a\\u0000b\": 1}", "no valid JSON"},
        {80, "{\"\xff\": 1}", "no valid JSON"},
        {80, "{}", "'conv1.weight' is missing"},
    };
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        unsigned char file[88];
        struct net *net = NULL;
        struct vp_err err = {0};
        memset(file, ' ', sizeof file);
        memcpy(file, &headers[i].n_header, 8);
        memcpy(file + 8, headers[i].text, strlen(headers[i].text));
        assert_int_equal(spoilt_load_bytes(file, sizeof file, &net, &err), VP_ERR_MODEL);
        if (strstr(err.message, headers[i].sentence) == NULL)
            fail_msg("header %zu: %s", i, err.message);
    }
}

static void deep_nesting_is_refused(void **state)
{
    (void)state;
    uint64_t n_header = 1 << 20;
    unsigned char *file = malloc(8 + (size_t)n_header);
    assert_non_null(file);
    memcpy(file, &n_header, 8);
    memset(file + 8, '[', (size_t)n_header);
    memcpy(file + 8, "{\"a\":", 5);
    struct net *net = NULL;
    struct vp_err err = {0};
    assert_int_equal(spoilt_load_bytes(file, 8 + (size_t)n_header, &net, &err), VP_ERR_MODEL);
    assert_non_null(strstr(err.message, "maximum parsing depth"));
    free(file);
}

static void cut_files_are_refused(void **state)
{
    (void)state;
    struct draft_safetensors d;
    size_t n_bytes;
    draft_safetensors_open(&d, "tiny");
    unsigned char *bytes = draft_safetensors_write(&d, &n_bytes);
    for (size_t n = 0; n < n_bytes; n += n < 200 ? 1 : 97) {
        struct net *net = NULL;
        struct vp_err err = {0};
        assert_int_equal(spoilt_load_bytes(bytes, n, &net, &err), VP_ERR_MODEL);
        assert_true(net == NULL && err.message[0] != '\0');
    }
    free(bytes);
    draft_safetensors_close(&d);
}

/* With its hash in the metadata, no single flipped bit of the file goes unnoticed but in the texts
 * that nobody reads. */
static void flipped_bits_are_refused(void **state)
{
    (void)state;
    struct draft_safetensors d;
    size_t n_bytes;
    char hex[DIGEST_HEX_CHARS];
    draft_safetensors_open(&d, "tiny");
    digest_sha256(d.data, d.n_data, hex);
    json_object_clear(json_object_get(d.header, "__metadata__"));
    draft_safetensors_metadata(&d, "weights_sha256", hex);
    unsigned char *bytes = draft_safetensors_write(&d, &n_bytes);
    size_t n_header = n_bytes - 8 - d.n_data, n_accepted = 0;
    for (size_t i = 0; i < n_bytes; i += i < 8 + n_header ? 1 : 53) {
        unsigned char bit = (unsigned char)(1u << (i * 7 % 8));
        bytes[i] ^= bit;
        struct net *net = NULL;
        struct vp_err err = {0};
        enum vp_status status = spoilt_load_bytes(bytes, n_bytes, &net, &err);
        assert_true((status == VP_OK) == (net != NULL));
        if (i >= 8 + n_header)
            assert_non_null(strstr(err.message, "weights_sha256"));
        n_accepted += status == VP_OK;
        net_free(net);
        bytes[i] ^= bit;
    }
    assert_true(n_accepted < 40); /* letters of "weights_sha256" and "__metadata__" */
    free(bytes);
    draft_safetensors_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spoiled_headers_are_refused),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(cut_files_are_refused),
        cmocka_unit_test(flipped_bits_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
