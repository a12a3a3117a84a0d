/*
 * Safetensors files: what a good one gives, and files that must be refused by name. Each case
 * spoils a small good one (tests/golden/models/tiny.safetensors) in one way.
 */
#include "unit.h"

#include "draft_safetensors.h"
#include "loader/digest.h"
#include "net.h"

#include <math.h>

static enum vp_status load_bytes(const unsigned char *bytes, size_t n_bytes, struct net **out,
                                 struct vp_err *err)
{
    const char *format = "";
    /* A block of its own size: AddressSanitizer sees a step beyond. */
    unsigned char *copy = malloc(n_bytes > 0 ? n_bytes : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, n_bytes);
    enum vp_status status = net_load_bytes(copy, n_bytes, out, &format, err);
    free(copy);
    return status;
}

static enum vp_status load(const struct draft_safetensors *draft, struct net **out,
                           struct vp_err *err)
{
    size_t n_bytes;
    unsigned char *bytes = draft_safetensors_write(draft, &n_bytes);
    enum vp_status status = load_bytes(bytes, n_bytes, out, err);
    free(bytes);
    return status;
}

/* ---- good files --------------------------------------------------------------------------- */

static void batch_norm_is_folded(void **state)
{
    (void)state;
    struct draft_safetensors d;
    struct net *net = NULL;
    struct vp_err err = {0};
    draft_safetensors_open(&d, "tiny");
    assert_int_equal(load(&d, &net, &err), VP_OK);
    assert_int_equal(net->stem.n_out, 2);
    assert_int_equal(net->dim, 8);
    assert_int_equal(net->n_mels, 80);
    assert_true(net->untrained);
    assert_string_equal(net->name, "tiny");
    assert_false(net->has_threshold || net->has_calibration || net->self_test != NULL);
    for (size_t o = 0; o < 2; o++) {
        double scale = (double)draft_safetensors_values(&d, "bn1.weight")[o] /
                       sqrt((double)draft_safetensors_values(&d, "bn1.running_var")[o] + 1e-5);
        double bias = (double)draft_safetensors_values(&d, "bn1.bias")[o] -
                      (double)draft_safetensors_values(&d, "bn1.running_mean")[o] * scale;
        assert_true(fabs((double)net->stem.bias[o] - bias) <= 1e-6 * fmax(1.0, fabs(bias)));
        for (size_t i = 0; i < 9; i++) {
            double weight = (double)draft_safetensors_values(&d, "conv1.weight")[o * 9 + i] * scale;
            assert_true(fabs((double)net->stem.weight[o * 9 + i] - weight) <=
                        1e-6 * fmax(1.0, fabs(weight)));
        }
    }
    net_free(net);
    draft_safetensors_close(&d);
}

/* One tensor as F16 at the end of the data; its old place becomes another's, of no use. */
static void half_precision_is_read(void **state)
{
    (void)state;
    static const uint16_t halves[8] = {0x3c00, 0xc000, 0x0001, 0x8001,
                                       0x7bff, 0x0400, 0x0000, 0x3555};
    static const float values[8] = {1.0F,     -2.0F,    0x1p-24F, -0x1p-24F,
                                    65504.0F, 0x1p-14F, 0.0F,     0.333251953125F};
    struct draft_safetensors d;
    struct net *net = NULL;
    struct vp_err err = {0};
    draft_safetensors_open(&d, "tiny");
    json_t *bias = json_deep_copy(draft_safetensors_entry(&d, "seg_1.bias"));
    json_object_set_new(d.header, "projection.bias", bias); /* dropped by name */
    json_object_set_new(d.header, "seg_1.bias",
                        json_pack("{s:s, s:[i], s:[I,I]}", "dtype", "F16", "shape", 8,
                                  "data_offsets", (json_int_t)d.n_data,
                                  (json_int_t)(d.n_data + sizeof halves)));
    draft_safetensors_grow(&d, sizeof halves);
    memcpy(d.data + d.n_data - sizeof halves, halves, sizeof halves);
    if (load(&d, &net, &err) != VP_OK)
        fail_msg("%s", err.message);
    for (size_t i = 0; i < 8; i++)
        assert_true(net->fc_bias[i] == values[i]);
    net_free(net);
    draft_safetensors_close(&d);
}

static void metadata_is_taken(void **state)
{
    (void)state;
    struct draft_safetensors d;
    struct net *net = NULL;
    struct vp_err err = {0};
    char hex[DIGEST_HEX_CHARS];
    draft_safetensors_open(&d, "tiny");
    digest_sha256(d.data, d.n_data, hex);
    draft_safetensors_metadata(&d, "weights_sha256", hex);
    draft_safetensors_metadata(&d, "untrained", "false");
    draft_safetensors_metadata(&d, "threshold", "0.25");
    draft_safetensors_metadata(&d, "calibration_slope", "14.5");
    draft_safetensors_metadata(&d, "calibration_offset", "-3.5");
    draft_safetensors_metadata(&d, "dim", "8");
    draft_safetensors_metadata(&d, "n_mels", "80");
    draft_safetensors_metadata(&d, "self_test", "[0.6, 0, 0, -0.8, 0, 0, 0, 0]");
    draft_safetensors_metadata(&d, "anything else", "is free text \xc3\xa4");
    if (load(&d, &net, &err) != VP_OK)
        fail_msg("%s", err.message);
    assert_false(net->untrained);
    assert_true(net->has_threshold && net->threshold == 0.25);
    assert_true(net->has_calibration && net->slope == 14.5 && net->offset == -3.5);
    assert_true(net->self_test[0] == 0.6F && net->self_test[3] == -0.8F);
    net_free(net);
    draft_safetensors_close(&d);
}

static void training_leftovers_are_dropped(void **state)
{
    (void)state;
    struct draft_safetensors d;
    struct net *net = NULL;
    struct vp_err err = {0};
    draft_safetensors_open(&d, "tiny");
    json_object_set_new(d.header, "bn1.num_batches_tracked",
                        json_pack("{s:s, s:[], s:[I,I]}", "dtype", "I64", "shape", "data_offsets",
                                  (json_int_t)d.n_data, (json_int_t)(d.n_data + 8)));
    draft_safetensors_grow(&d, 8);
    if (load(&d, &net, &err) != VP_OK)
        fail_msg("%s", err.message);
    net_free(net);
    draft_safetensors_close(&d);
}

/* ---- files that are refused --------------------------------------------------------------- */

typedef struct draft_safetensors draft; /* the table below is long enough */

static json_t *entry(draft *d, const char *tensor)
{
    return draft_safetensors_entry(d, tensor);
}

static void set_offsets(draft *d, const char *tensor, json_int_t begin, json_int_t end)
{
    json_object_set_new(entry(d, tensor), "data_offsets", json_pack("[I,I]", begin, end));
}

static json_int_t offset(draft *d, const char *tensor, size_t i)
{
    return json_integer_value(json_array_get(json_object_get(entry(d, tensor), "data_offsets"), i));
}

static void set_shape(draft *d, const char *tensor, const char *json)
{
    json_object_set_new(entry(d, tensor), "shape", json_loads(json, 0, NULL));
}

static void rename_tensor(draft *d, const char *from, const char *to)
{
    json_t *moved = json_incref(entry(d, from));
    json_object_del(d->header, from);
    json_object_set_new(d->header, to, moved);
}

static void data_cut(draft *d)
{
    d->n_data--;
}

static void data_too_long(draft *d)
{
    draft_safetensors_grow(d, 4);
}

static void offsets_backwards(draft *d)
{
    set_offsets(d, "bn1.bias", offset(d, "bn1.bias", 1), offset(d, "bn1.bias", 0));
}

static void offset_negative(draft *d)
{
    set_offsets(d, "bn1.bias", -8, 0);
}

static void offset_beyond(draft *d)
{
    set_offsets(d, "bn1.bias", INT64_MAX - 8, INT64_MAX);
}

static void offsets_overlap(draft *d)
{
    set_offsets(d, "layer1.0.bn1.bias", offset(d, "bn1.bias", 0), offset(d, "bn1.bias", 1));
}

static void offsets_leave_a_gap(draft *d)
{
    draft_safetensors_grow(d, 64);
    set_offsets(d, "bn1.bias", (json_int_t)d->n_data - 8, (json_int_t)d->n_data);
}

static void offsets_of_another_size(draft *d)
{
    json_int_t begin = offset(d, "bn1.bias", 0);
    set_offsets(d, "bn1.bias", begin, begin + 4);
}

static void offsets_three(draft *d)
{
    json_array_append_new(json_object_get(entry(d, "bn1.bias"), "data_offsets"), json_integer(0));
}

static void offsets_fractional(draft *d)
{
    json_object_set_new(entry(d, "bn1.bias"), "data_offsets", json_pack("[f,f]", 0.0, 8.0));
}

static void offsets_missing(draft *d)
{
    json_object_del(entry(d, "bn1.bias"), "data_offsets");
}

static void key_surplus(draft *d)
{
    json_object_set_new(entry(d, "bn1.bias"), "stride", json_integer(2));
}

static void entry_no_object(draft *d)
{
    json_object_set_new(d->header, "bn1.bias", json_string("F32"));
}

static void dim_negative(draft *d)
{
    set_shape(d, "bn1.bias", "[-2]");
}

static void dims_overflow(draft *d)
{
    set_shape(d, "bn1.bias", "[4294967296, 4294967296, 2]");
}

static void bytes_overflow(draft *d)
{
    set_shape(d, "bn1.bias", "[4611686018427387906]"); /* 2^62 + 2: times 4 is 8, modulo 2^64 */
}

static void dim_zero(draft *d)
{
    set_shape(d, "bn1.bias", "[0]");
    set_offsets(d, "bn1.bias", 0, 0);
}

static void dim_fractional(draft *d)
{
    set_shape(d, "bn1.bias", "[2.0]");
}

static void dims_nine(draft *d)
{
    set_shape(d, "bn1.bias", "[1,1,1,1,1,1,1,1,2]");
}

static void shape_no_array(draft *d)
{
    json_object_set_new(entry(d, "bn1.bias"), "shape", json_integer(2));
}

static void dtype_unknown(draft *d)
{
    json_object_set_new(entry(d, "bn1.bias"), "dtype", json_string("BF16"));
}

static void dtype_number(draft *d)
{
    json_object_set_new(entry(d, "bn1.bias"), "dtype", json_integer(32));
}

static void dtype_integers(draft *d)
{
    json_object_set_new(entry(d, "bn1.bias"), "dtype", json_string("I64"));
    set_shape(d, "bn1.bias", "[1]");
}

static void tensor_missing(draft *d)
{
    rename_tensor(d, "layer3.0.bn2.running_var", "projection.weight");
}

static void shortcut_missing(draft *d)
{
    rename_tensor(d, "layer2.0.shortcut.0.weight", "projection.weight");
}

static void bias_missing(draft *d)
{
    rename_tensor(d, "seg_1.bias", "projection.bias");
}

static void tensor_surplus(draft *d)
{
    json_object_set_new(d->header, "seg_2.weight",
                        json_pack("{s:s, s:[i], s:[I,I]}", "dtype", "F32", "shape", 1,
                                  "data_offsets", (json_int_t)d->n_data,
                                  (json_int_t)d->n_data + 4));
    draft_safetensors_grow(d, 4);
}

static void tensor_misspelt(draft *d)
{
    rename_tensor(d, "layer1.0.conv1.weight", "layer1.0.Conv1.weight");
}

static void block_number_skipped(draft *d)
{
    json_t *copy = json_pack("{s:s, s:[i], s:[I,I]}", "dtype", "F32", "shape", 1, "data_offsets",
                             (json_int_t)d->n_data, (json_int_t)d->n_data + 4);
    json_object_set_new(d->header, "layer1.2.conv1.weight", copy);
    draft_safetensors_grow(d, 4);
}

static void shape_turned(draft *d)
{
    set_shape(d, "conv1.weight", "[1, 2, 3, 3]");
}

static void shape_flat(draft *d)
{
    set_shape(d, "conv1.weight", "[18]");
}

static void head_of_another_width(draft *d)
{
    set_shape(d, "seg_1.weight", "[4, 640]");
}

static void name_unprintable(draft *d)
{
    rename_tensor(d, "bn1.bias", "bn1\nbias");
}

static void value_nan(draft *d)
{
    draft_safetensors_values(d, "layer4.0.conv2.weight")[5] = NAN;
}

static void value_infinite(draft *d)
{
    draft_safetensors_values(d, "seg_1.bias")[7] = -INFINITY;
}

static void variance_negative(draft *d)
{
    draft_safetensors_values(d, "layer2.0.bn1.running_var")[1] = -0.5F;
}

static void fold_overflows(draft *d)
{
    draft_safetensors_values(d, "bn1.weight")[0] = 1e38F;
    draft_safetensors_values(d, "bn1.running_var")[0] = 0.0F;
}

static void weight_flipped(draft *d)
{
    char hex[DIGEST_HEX_CHARS];
    digest_sha256(d->data, d->n_data, hex);
    draft_safetensors_metadata(d, "weights_sha256", hex);
    d->data[1234] ^= 1; /* finite, and wrong */
}

static void metadata_no_text(draft *d)
{
    json_object_set_new(json_object_get(d->header, "__metadata__"), "threshold", json_real(0.5));
}

static void metadata_no_object(draft *d)
{
    json_object_set_new(d->header, "__metadata__", json_array());
}

static void untrained_maybe(draft *d)
{
    draft_safetensors_metadata(d, "untrained", "maybe");
}

static void threshold_nan(draft *d)
{
    draft_safetensors_metadata(d, "threshold", "nan");
}

static void threshold_2(draft *d)
{
    draft_safetensors_metadata(d, "threshold", "2");
}

static void slope_alone(draft *d)
{
    draft_safetensors_metadata(d, "calibration_slope", "10");
}

static void slope_negative(draft *d)
{
    draft_safetensors_metadata(d, "calibration_slope", "-10");
}

static void hash_no_hash(draft *d)
{
    draft_safetensors_metadata(d, "weights_sha256", "abc");
}

static void dim_of_another(draft *d)
{
    draft_safetensors_metadata(d, "dim", "256");
}

static void mels_of_another(draft *d)
{
    draft_safetensors_metadata(d, "n_mels", "40");
}

static void mels_vast(draft *d)
{
    draft_safetensors_metadata(d, "n_mels", "1e9");
}

static void self_test_short(draft *d)
{
    draft_safetensors_metadata(d, "self_test", "[0.6, 0.8]");
}

static void self_test_not_unit(draft *d)
{
    draft_safetensors_metadata(d, "self_test", "[0.6, 0, 0, 0.6, 0, 0, 0, 0]");
}

static void self_test_no_numbers(draft *d)
{
    draft_safetensors_metadata(d, "self_test", "[\"1\", 0, 0, 0, 0, 0, 0, 0]");
}

static void name_with_newline(draft *d)
{
    draft_safetensors_metadata(d, "name", "two\nlines");
}

static const struct {
    const char *name;
    void (*spoil)(draft *);
    const char *sentence; /* part of it */
} refused[] = {
    {"data_cut", data_cut, "ends at byte"},
    {"data_too_long", data_too_long, "4 bytes after the last tensor"},
    {"offsets_backwards", offsets_backwards, "'bn1.bias' has offsets that are no range"},
    {"offset_negative", offset_negative, "'bn1.bias' has offsets that are no range"},
    {"offset_beyond", offset_beyond, "'bn1.bias' ends at byte 9223372036854775807"},
    {"offsets_overlap", offsets_overlap, "overlaps the data before it"},
    {"offsets_leave_a_gap", offsets_leave_a_gap, "leaves a gap after the data before it"},
    {"offsets_of_another_size", offsets_of_another_size, "'bn1.bias' has 4 bytes of data"},
    {"offsets_three", offsets_three, "'bn1.bias' has offsets that are no range"},
    {"offsets_fractional", offsets_fractional, "'bn1.bias' has offsets that are no range"},
    {"offsets_missing", offsets_missing, "'bn1.bias' must have dtype, shape and data_offsets"},
    {"key_surplus", key_surplus, "'bn1.bias' must have dtype, shape and data_offsets, no more"},
    {"entry_no_object", entry_no_object, "'bn1.bias' must have dtype, shape and data_offsets"},
    {"dim_negative", dim_negative, "'bn1.bias': dimension 0"},
    {"dims_overflow", dims_overflow, "'bn1.bias' has a shape beyond all memory"},
    {"bytes_overflow", bytes_overflow, "'bn1.bias' has 8 bytes of data, which is not"},
    {"dim_zero", dim_zero, "a gap"},
    {"dim_fractional", dim_fractional, "'bn1.bias': dimension 0"},
    {"dims_nine", dims_nine, "'bn1.bias' has no shape of up to 8 dimensions"},
    {"shape_no_array", shape_no_array, "'bn1.bias' has no shape"},
    {"dtype_unknown", dtype_unknown, "'bn1.bias' has a dtype that is not F32 or F16"},
    {"dtype_number", dtype_number, "'bn1.bias' has a dtype that is not F32 or F16"},
    {"dtype_integers", dtype_integers, "'bn1.bias' has shape [1] where [2]"},
    {"tensor_missing", tensor_missing, "'layer3.0.bn2.running_var' is missing"},
    {"shortcut_missing", shortcut_missing, "'layer2.0.shortcut.0.weight' is missing"},
    {"bias_missing", bias_missing, "'seg_1.bias' is missing"},
    {"tensor_surplus", tensor_surplus, "'seg_2.weight' has no place"},
    {"tensor_misspelt", tensor_misspelt, "'layer1.0.conv1.weight' is missing"},
    {"block_number_skipped", block_number_skipped, "'layer1.2.conv1.weight' has no place"},
    {"shape_turned", shape_turned, "'conv1.weight' has shape [1, 2, 3, 3] where [1, 1, 3, 3]"},
    {"shape_flat", shape_flat, "'conv1.weight' has shape [18]"},
    {"head_of_another_width", head_of_another_width, "'seg_1.weight' has shape [4, 640] where"},
    {"name_unprintable", name_unprintable, "name is not printable"},
    {"value_nan", value_nan, "'layer4.0.conv2.weight' holds NaN or infinity (value 5)"},
    {"value_infinite", value_infinite, "'seg_1.bias' holds NaN or infinity (value 7)"},
    {"variance_negative", variance_negative, "'layer2.0.bn1.running_var' has a variance of -0.5"},
    {"fold_overflows", fold_overflows, "'conv1' has NaN or infinity"},
    {"weight_flipped", weight_flipped, "do not match metadata 'weights_sha256'"},
    {"metadata_no_text", metadata_no_text, "metadata 'threshold' is no text"},
    {"metadata_no_object", metadata_no_object, "'__metadata__' is no JSON object"},
    {"untrained_maybe", untrained_maybe, "metadata 'untrained' is 'maybe'"},
    {"threshold_nan", threshold_nan, "metadata 'threshold' is 'nan'"},
    {"threshold_2", threshold_2, "metadata 'threshold' is '2'"},
    {"slope_alone", slope_alone, "'calibration_slope' without 'calibration_offset'"},
    {"slope_negative", slope_negative, "metadata 'calibration_slope' is '-10'"},
    {"hash_no_hash", hash_no_hash, "metadata 'weights_sha256' is 'abc'"},
    {"dim_of_another", dim_of_another, "metadata 'dim' says 256, but the embedding has 8"},
    {"mels_of_another", mels_of_another, "'seg_1.weight' has shape [8, 320] where [8, 160]"},
    {"mels_vast", mels_vast, "metadata 'n_mels' is '1e9'"},
    {"self_test_short", self_test_short, "'self_test' has 2 values, but the embedding has 8"},
    {"self_test_not_unit", self_test_not_unit, "'self_test'"},
    {"self_test_no_numbers", self_test_no_numbers, "'self_test'"},
    {"name_with_newline", name_with_newline, "metadata 'name'"},
};

static void spoiled_files_are_refused_by_name(void **state)
{
    (void)state;
    size_t n_bad = 0;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct draft_safetensors d;
        struct net *net = NULL;
        struct vp_err err = {0};
        draft_safetensors_open(&d, "tiny");
        refused[i].spoil(&d);
        enum vp_status status = load(&d, &net, &err);
        draft_safetensors_close(&d);
        if (status == VP_ERR_MODEL && net == NULL && strstr(err.message, refused[i].sentence))
            continue;
        print_error("%s: %s, \"%s\" lacks \"%s\"\n", refused[i].name, vp_status_name(status),
                    err.message, refused[i].sentence);
        n_bad++;
        net_free(net);
    }
    assert_int_equal(n_bad, 0);
}

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
        assert_int_equal(load_bytes(file, sizeof file, &net, &err), VP_ERR_MODEL);
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
    assert_int_equal(load_bytes(file, 8 + (size_t)n_header, &net, &err), VP_ERR_MODEL);
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
        assert_int_equal(load_bytes(bytes, n, &net, &err), VP_ERR_MODEL);
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
        enum vp_status status = load_bytes(bytes, n_bytes, &net, &err);
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
        cmocka_unit_test(batch_norm_is_folded),
        cmocka_unit_test(half_precision_is_read),
        cmocka_unit_test(metadata_is_taken),
        cmocka_unit_test(training_leftovers_are_dropped),
        cmocka_unit_test(spoiled_files_are_refused_by_name),
        cmocka_unit_test(spoiled_headers_are_refused),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(cut_files_are_refused),
        cmocka_unit_test(flipped_bits_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
