/* Safetensors files whose tensors, values or metadata are refused by name. Each case
 * spoils a small good file (tests/golden/models/tiny.safetensors) in one way. */
#include "unit.h"

#include "loader/digest.h"
#include "spoilt.h"

#include <math.h>

typedef struct draft_safetensors draft; /* the tables below are long enough */

static json_t *entry(draft *d, const char *tensor)
{
    return draft_safetensors_entry(d, tensor);
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

static void diarize_threshold_beyond_a_cosine(draft *d)
{
    draft_safetensors_metadata(d, "diarize_threshold", "-1.01");
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

static void digest_of_no_kind(draft *d)
{
    draft_safetensors_metadata(d, "model_digest",
                               "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
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

static const struct spoilt_safetensors refused[] = {
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
    {"diarize_threshold_beyond_a_cosine", diarize_threshold_beyond_a_cosine,
     "metadata 'diarize_threshold' is '-1.01'"},
    {"slope_alone", slope_alone, "'calibration_slope' without 'calibration_offset'"},
    {"slope_negative", slope_negative, "metadata 'calibration_slope' is '-10'"},
    {"hash_no_hash", hash_no_hash, "metadata 'weights_sha256' is 'abc'"},
    {"digest_of_no_kind", digest_of_no_kind,
     "'model_digest' is something else where sha256: and 64"},
    {"dim_of_another", dim_of_another, "metadata 'dim' says 256, but the embedding has 8"},
    {"mels_of_another", mels_of_another, "'seg_1.weight' has shape [8, 320] where [8, 160]"},
    {"mels_vast", mels_vast, "metadata 'n_mels' is '1e9'"},
    {"self_test_short", self_test_short, "'self_test' has 2 values, but the embedding has 8"},
    {"self_test_not_unit", self_test_not_unit, "'self_test'"},
    {"self_test_no_numbers", self_test_no_numbers, "'self_test'"},
    {"name_with_newline", name_with_newline, "metadata 'name'"},
};

static void spoiled_contents_are_refused_by_name(void **state)
{
    (void)state;
    spoilt_safetensors_expect(refused, sizeof refused / sizeof refused[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spoiled_contents_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
