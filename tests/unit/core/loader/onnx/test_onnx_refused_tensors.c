/* ONNX files whose versions, tensors or values are refused. Each case spoils a small good
 * network in one way. */
#include "unit.h"

#include "spoilt.h"

#include <math.h>

static void old_ir(struct draft_onnx *d)
{
    d->ir = 3;
}

static void old_opset(struct draft_onnx *d)
{
    d->opset = 9;
}

static void nan_in_weight(struct draft_onnx *d)
{
    draft_tensor(d, "3/conv1.weight")->values[17] = NAN;
}

static void infinity_in_bias(struct draft_onnx *d)
{
    draft_tensor(d, "gemm.bias")->values[4] = INFINITY;
}

static void half_precision(struct draft_onnx *d)
{
    draft_tensor(d, "3/conv1.bias")->type = 10;
}

static void integers_for_weights(struct draft_onnx *d)
{
    draft_tensor(d, "3/conv1.bias")->type = 7;
}

static void data_cut(struct draft_onnx *d)
{
    draft_tensor(d, "3/conv1.bias")->n_cut = 4;
}

static void data_elsewhere(struct draft_onnx *d)
{
    draft_tensor(d, "3/conv1.bias")->is_external = true;
}

static void shape_overflows(struct draft_onnx *d)
{
    struct draft_tensor *tensor = draft_tensor(d, "3/conv1.weight");
    for (size_t i = 0; i < 4; i++)
        tensor->dims[i] = INT64_MAX;
}

static void negative_dim(struct draft_onnx *d)
{
    draft_tensor(d, "3/conv1.bias")->dims[0] = -3;
}

static void channels_disagree(struct draft_onnx *d)
{
    struct draft_tensor *tensor = draft_tensor(d, "3/conv2.weight"); /* [3, 3, 3, 3] */
    tensor->dims[1] = 1;
    tensor->n_values = 27;
}

static void bias_too_long(struct draft_onnx *d)
{
    struct draft_tensor *tensor = draft_tensor(d, "3/conv2.bias");
    tensor->dims[0] = 4;
    tensor->n_values = 4;
}

static const struct spoilt_onnx refused[] = {
    {"old_ir", old_ir, "IR version 3"},
    {"old_opset", old_opset, "operator set 9"},
    {"nan_in_weight", nan_in_weight, "'3/conv1.weight' holds NaN or infinity (value 17)"},
    {"infinity_in_bias", infinity_in_bias, "'gemm.bias' holds NaN or infinity (value 4)"},
    {"half_precision", half_precision, "'3/conv1.bias' has data type 10"},
    {"integers_for_weights", integers_for_weights, "'3/conv1.bias' does not hold floats"},
    {"data_cut", data_cut, "'3/conv1.bias' has 8 bytes of data"},
    {"data_elsewhere", data_elsewhere, "'3/conv1.bias' keeps its data in another file"},
    {"shape_overflows", shape_overflows, "shape beyond all memory"},
    {"negative_dim", negative_dim, "is malformed"},
    {"channels_disagree", channels_disagree, "'layer3.0.conv2' takes 1 channels"},
    {"bias_too_long", bias_too_long, "'3/conv2.bias' has shape [4] where [3]"},
};

static void spoiled_tensors_are_refused_by_name(void **state)
{
    (void)state;
    spoilt_onnx_expect(refused, sizeof refused / sizeof refused[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spoiled_tensors_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
