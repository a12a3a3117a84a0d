/* Safetensors files whose offsets, shapes or types are refused by name. Each case
 * spoils a small good file (tests/golden/models/tiny.safetensors) in one way. */
#include "unit.h"

#include "spoilt.h"

typedef struct draft_safetensors draft; /* the tables below are long enough */

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

static const struct spoilt_safetensors refused[] = {
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
};

static void spoiled_layouts_are_refused_by_name(void **state)
{
    (void)state;
    spoilt_safetensors_expect(refused, sizeof refused / sizeof refused[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spoiled_layouts_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
