/* Safetensors files: what a good one gives, as a network and tensor by tensor. */
#include "unit.h"

#include "loader/digest.h"
#include "loader/safetensors.h"
#include "network/net.h"
#include "spoilt.h"

#include <math.h>

static void batch_norm_is_folded(void **state)
{
    (void)state;
    struct draft_safetensors d;
    struct net *net = NULL;
    struct vp_err err = {0};
    draft_safetensors_open(&d, "tiny");
    assert_int_equal(spoilt_safetensors_load(&d, &net, &err), VP_OK);
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
    if (spoilt_safetensors_load(&d, &net, &err) != VP_OK)
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
    draft_safetensors_metadata(&d, "diarize_threshold", "0.625");
    draft_safetensors_metadata(&d, "calibration_slope", "14.5");
    draft_safetensors_metadata(&d, "calibration_offset", "-3.5");
    draft_safetensors_metadata(&d, "dim", "8");
    draft_safetensors_metadata(&d, "n_mels", "80");
    draft_safetensors_metadata(&d, "self_test", "[0.6, 0, 0, -0.8, 0, 0, 0, 0]");
    draft_safetensors_metadata(&d, "anything else", "is free text \xc3\xa4");
    if (spoilt_safetensors_load(&d, &net, &err) != VP_OK)
        fail_msg("%s", err.message);
    assert_false(net->untrained);
    assert_true(net->has_threshold && net->threshold == 0.25);
    assert_true(net->has_diarize_threshold && net->diarize_threshold == 0.625);
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
    if (spoilt_safetensors_load(&d, &net, &err) != VP_OK)
        fail_msg("%s", err.message);
    net_free(net);
    draft_safetensors_close(&d);
}

/* ---- tensor by tensor ----------------------------------------------------------------------- */

/* Two tensors, "a" [2, 3] and "b" [1], and a digest of the model that they belong to. */
static struct draft_safetensors two_tensors(void)
{
    static const float values[7] = {1.5F, -2.0F, 3.0F, 4.0F, -5.25F, 6.0F, 7.0F};
    struct draft_safetensors d = {.header = json_object()};
    json_object_set_new(d.header, "__metadata__", json_object());
    json_object_set_new(
        d.header, "a",
        json_pack("{s:s, s:[i,i], s:[i,i]}", "dtype", "F32", "shape", 2, 3, "data_offsets", 0, 24));
    json_object_set_new(
        d.header, "b",
        json_pack("{s:s, s:[i], s:[i,i]}", "dtype", "F32", "shape", 1, "data_offsets", 24, 28));
    draft_safetensors_grow(&d, sizeof values);
    memcpy(d.data, values, sizeof values);
    return d;
}

/* Takes draft. *bytes is owned, and must outlive file. */
static void open_file(struct draft_safetensors draft, unsigned char **bytes,
                      struct safetensors *file, struct metadata *metadata)
{
    size_t n_bytes;
    struct vp_err err = {0};
    *bytes = draft_safetensors_write(&draft, &n_bytes);
    *metadata = (struct metadata){0};
    if (safetensors_open(*bytes, n_bytes, file, metadata, &err) != VP_OK)
        fail_msg("%s", err.message);
    draft_safetensors_close(&draft);
}

static void tensors_are_taken_one_by_one(void **state)
{
    (void)state;
    static const size_t dims[] = {2, 3};
    struct safetensors file;
    struct metadata metadata;
    struct vp_err err = {0};
    unsigned char *bytes;
    float *a, *b;
    open_file(two_tensors(), &bytes, &file, &metadata);
    assert_string_equal(metadata.model_digest, "");
    assert_int_equal(safetensors_take(&file, "a", dims, 2, &a, &err), VP_OK);
    assert_true(a[0] == 1.5F && a[4] == -5.25F && a[5] == 6.0F);
    assert_int_equal(safetensors_finish(&file, "a test", &err), VP_ERR_MODEL);
    assert_non_null(strstr(err.message, "tensor 'b' is none of a test"));
    assert_int_equal(safetensors_take(&file, "b", (const size_t[]){1}, 1, &b, &err), VP_OK);
    assert_true(b[0] == 7.0F);
    assert_int_equal(safetensors_finish(&file, "a test", &err), VP_OK);
    free(a);
    free(b);
    safetensors_close(&file);
    metadata_clear(&metadata);
    free(bytes);
}

static void a_tensor_of_another_shape_is_not_taken(void **state)
{
    (void)state;
    struct draft_safetensors draft = two_tensors();
    static const struct {
        const char *name;
        size_t n_dims, dims[3];
        const char *sentence;
    } wrong[] = {
        {"c", 1, {1}, "tensor 'c' is missing"},
        {"A", 2, {2, 3}, "tensor 'A' is missing"},
        {"a", 2, {3, 2}, "'a' has shape [2, 3] where [3, 2]"},
        {"a", 1, {6}, "'a' has shape [2, 3] where [6]"},
        {"a", 3, {2, 3, 1}, "'a' has shape [2, 3] where [2, 3, 1]"},
        {"b", 1, {1}, "'b' holds NaN or infinity (value 0)"},
    };
    struct safetensors file;
    struct metadata metadata;
    unsigned char *bytes;
    draft_safetensors_values(&draft, "b")[0] = NAN;
    open_file(draft, &bytes, &file, &metadata);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct vp_err err = {0};
        float *values;
        assert_int_equal(
            safetensors_take(&file, wrong[i].name, wrong[i].dims, wrong[i].n_dims, &values, &err),
            VP_ERR_MODEL);
        if (strstr(err.message, wrong[i].sentence) == NULL)
            fail_msg("'%s' does not say '%s'", err.message, wrong[i].sentence);
        free(values);
    }
    safetensors_close(&file);
    metadata_clear(&metadata);
    free(bytes);
}

static void the_digest_of_a_model_is_metadata(void **state)
{
    (void)state;
    static const char digest[] =
        "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    struct draft_safetensors draft = two_tensors();
    struct safetensors file;
    struct metadata metadata;
    unsigned char *bytes;
    draft_safetensors_metadata(&draft, "model_digest", digest);
    open_file(draft, &bytes, &file, &metadata);
    assert_string_equal(metadata.model_digest, digest);
    safetensors_close(&file);
    metadata_clear(&metadata);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batch_norm_is_folded),
        cmocka_unit_test(half_precision_is_read),
        cmocka_unit_test(metadata_is_taken),
        cmocka_unit_test(training_leftovers_are_dropped),
        cmocka_unit_test(tensors_are_taken_one_by_one),
        cmocka_unit_test(a_tensor_of_another_shape_is_not_taken),
        cmocka_unit_test(the_digest_of_a_model_is_metadata),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
