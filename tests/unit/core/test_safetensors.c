/* Safetensors files: what a good one gives. */
#include "unit.h"

#include "loader/digest.h"
#include "net.h"
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batch_norm_is_folded),
        cmocka_unit_test(half_precision_is_read),
        cmocka_unit_test(metadata_is_taken),
        cmocka_unit_test(training_leftovers_are_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
