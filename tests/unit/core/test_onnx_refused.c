/*
 * ONNX files that must be refused, with a sentence that names what is wrong. Each case spoils a
 * small good network in one way.
 */
#include "unit.h"

#include "draft_onnx.h"
#include "net.h"

#include <math.h>

/* What the loader says of the draft; *out is NULL when it is refused. Takes the draft. */
static enum vp_status load(struct draft_onnx *draft, struct net **out, struct vp_err *err)
{
    const char *format = "";
    size_t n_bytes;
    unsigned char *bytes = draft_onnx_write(draft, &n_bytes);
    free(draft);
    enum vp_status status = net_load_bytes(bytes, n_bytes, out, &format, err);
    free(bytes);
    assert_string_equal(format, "onnx");
    return status;
}

static void set(char *text, const char *value)
{
    strcpy(text, value); /* flawfinder: ignore -- literals of this file, shorter than the fields */
}

static void unknown_operator(struct draft_onnx *d)
{
    set(draft_node(d, "sqrt")->op, "Tanh");
}

static void unknown_activation(struct draft_onnx *d)
{
    set(draft_node(d, "2/relu1")->op, "LeakyRelu");
}

static void foreign_domain(struct draft_onnx *d)
{
    set(draft_node(d, "stem")->domain, "com.evil");
}

static void sub_graph(struct draft_onnx *d)
{
    draft_attribute(draft_node(d, "stem"), "group")->type = 5;
}

static void attribute_without_type(struct draft_onnx *d)
{
    draft_attribute(draft_node(d, "stem"), "group")->type = 0;
}

static void attribute_twice(struct draft_onnx *d)
{
    draft_add_int(draft_node(d, "2/conv1"), "group", 1);
}

static void attribute_of_wrong_kind(struct draft_onnx *d)
{
    draft_attribute(draft_node(d, "2/conv1"), "strides")->type = 2;
}

static void unknown_attribute(struct draft_onnx *d)
{
    draft_add_int(draft_node(d, "2/conv1"), "surprise", 1);
}

static void stride_3(struct draft_onnx *d)
{
    draft_attribute(draft_node(d, "2/conv1"), "strides")->ints[0] = 3;
}

static void uneven_stride(struct draft_onnx *d)
{
    draft_attribute(draft_node(d, "2/conv1"), "strides")->ints[1] = 1;
}

static void no_padding(struct draft_onnx *d)
{
    memset(draft_attribute(draft_node(d, "2/conv1"), "pads")->ints, 0, 4 * sizeof(int64_t));
}

static void dilated(struct draft_onnx *d)
{
    draft_attribute(draft_node(d, "2/conv1"), "dilations")->ints[0] = 2;
}

static void grouped(struct draft_onnx *d)
{
    draft_attribute(draft_node(d, "2/conv1"), "group")->ints[0] = 2;
}

static void padded_by_rule(struct draft_onnx *d)
{
    struct draft_node *conv = draft_node(d, "2/conv1");
    struct draft_attribute *attribute = &conv->attributes[conv->n_attributes++];
    set(attribute->name, "auto_pad");
    attribute->type = 3;
    set(attribute->text, "SAME_UPPER");
}

static void other_kernel_shape(struct draft_onnx *d)
{
    draft_attribute(draft_node(d, "2/conv1"), "kernel_shape")->ints[0] = 5;
}

static void kernel_of_5(struct draft_onnx *d)
{
    static const int64_t dims[] = {2, 1, 5, 5};
    draft_add_tensor(d, "five", 4, dims, 0.5);
    set(draft_node(d, "stem")->in[1], "five");
}

static void bias_left_out(struct draft_onnx *d)
{
    draft_node(d, "2/conv2")->in[2][0] = '\0';
}

static void weight_missing(struct draft_onnx *d)
{
    set(draft_tensor(d, "3/conv2.weight")->name, "elsewhere");
}

static void weight_computed(struct draft_onnx *d)
{
    draft_add_node(d, "Sqrt", "computed", "4/conv1.weight", NULL, NULL);
    set(draft_node(d, "4/conv1")->in[1], "computed");
}

static void surplus_tensor(struct draft_onnx *d)
{
    static const int64_t seven = 7;
    draft_add_tensor(d, "left_over", 1, &seven, 1.0);
}

static void surplus_node(struct draft_onnx *d)
{
    draft_add_node(d, "Relu", "dead_end", "stem", NULL, NULL);
}

static void edge_given_twice(struct draft_onnx *d)
{
    set(draft_node(d, "3/relu1")->out[0], "2/relu1");
}

static void edge_given_by_node_and_tensor(struct draft_onnx *d)
{
    set(draft_tensor(d, "3/conv2.bias")->name, "3/conv1");
}

static void tensor_twice(struct draft_onnx *d)
{
    set(draft_tensor(d, "3/conv2.bias")->name, "3/conv1.bias");
}

static void cycle(struct draft_onnx *d)
{
    set(draft_node(d, "2/conv1")->in[0], "4/relu2");
}

static void cycle_of_one(struct draft_onnx *d)
{
    set(draft_node(d, "2/relu1")->in[0], "2/relu1");
}

static void output_from_nowhere(struct draft_onnx *d)
{
    set(d->output, "nowhere");
}

static void two_outputs(struct draft_onnx *d)
{
    set(d->second_output, "gemm");
}

static void two_inputs(struct draft_onnx *d)
{
    set(d->second_input, "more_feats");
}

static void no_input(struct draft_onnx *d)
{
    d->input[0] = '\0';
}

static void no_output(struct draft_onnx *d)
{
    d->output[0] = '\0';
}

static void nameless_output(struct draft_onnx *d)
{
    set(d->output, "-");
}

static void nameless_input(struct draft_onnx *d)
{
    set(d->input, "-");
}

static void identity_of_nothing(struct draft_onnx *d)
{
    d->n_nodes = d->n_tensors = 0;
    draft_add_node(d, "Identity", "embs", "-", NULL, NULL);
}

static void relu_of_nothing(struct draft_onnx *d)
{
    draft_add_node(d, "Identity", "void", "-", NULL, NULL);
    draft_remove_node(d, "2/conv1");
    set(draft_node(d, "2/relu1")->in[0], "void");
}

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

static void norm_in_training_mode(struct draft_onnx *d)
{
    draft_add_norm(d);
    draft_add_int(draft_node(d, "bn"), "training_mode", 1);
}

static void norm_with_negative_variance(struct draft_onnx *d)
{
    draft_add_norm(d);
    draft_tensor(d, "bn.variance")->values[1] = -1.0F;
}

static void norm_without_variance(struct draft_onnx *d)
{
    draft_add_norm(d);
    draft_node(d, "bn")->in[4][0] = '\0';
}

static void block_without_relu(struct draft_onnx *d)
{
    draft_remove_node(d, "2/relu2");
    set(draft_node(d, "3/conv1")->in[0], "2/add");
    set(draft_node(d, "3/shortcut")->in[0], "2/add");
}

static void shortcut_of_another_layer(struct draft_onnx *d)
{
    set(draft_node(d, "3/shortcut")->in[0], "2/relu1");
}

static void shortcut_skips_the_stride(struct draft_onnx *d)
{
    struct draft_attribute *strides = draft_attribute(draft_node(d, "4/shortcut"), "strides");
    strides->ints[0] = strides->ints[1] = 1;
}

static void one_layer_less(struct draft_onnx *d)
{
    static const int64_t one[] = {1, 1};
    memcpy(draft_attribute(draft_node(d, "2/conv1"), "strides")->ints, one, sizeof one);
    memcpy(draft_attribute(draft_node(d, "2/shortcut"), "strides")->ints, one, sizeof one);
}

static void stem_used_twice(struct draft_onnx *d)
{
    set(draft_node(d, "2/shortcut")->in[0], "1/relu2");
    set(draft_node(d, "1/add")->in[1], "1/conv2");
}

static void gemm_factor(struct draft_onnx *d)
{
    draft_attribute(draft_node(d, "gemm"), "alpha")->number = 0.5F;
}

static void gemm_without_bias(struct draft_onnx *d)
{
    draft_node(d, "gemm")->in[2][0] = '\0';
}

static void gemm_weight_transposed(struct draft_onnx *d)
{
    draft_attribute(draft_node(d, "gemm"), "transB")->ints[0] = 0;
}

static void mean_vec_of_one(struct draft_onnx *d)
{
    struct draft_tensor *tensor = draft_tensor(d, "mean_vec");
    tensor->dims[0] = 1;
    tensor->n_values = 1;
}

static void mean_vec_less_embedding(struct draft_onnx *d)
{
    struct draft_node *embs = draft_node(d, "embs");
    set(embs->in[0], "mean_vec");
    set(embs->in[1], "gemm");
}

static void features_not_transposed(struct draft_onnx *d)
{
    draft_remove_node(d, "transpose");
    set(draft_node(d, "unsqueeze")->in[0], "feats");
}

static void biased_variance(struct draft_onnx *d)
{
    set(draft_node(d, "eps")->in[0], "variance");
    static const char *const gone[] = {"shape", "gather",   "count", "cast",
                                       "scale", "less_one", "bessel"};
    for (size_t i = 0; i < sizeof gone / sizeof gone[0]; i++)
        draft_remove_node(d, gone[i]);
}

/* T / (T - 1) as a constant: right for one length only. */
static void bessel_for_one_length(struct draft_onnx *d)
{
    biased_variance(d);
    struct draft_tensor *factor = draft_add_tensor(d, "factor", 0, NULL, 0.0);
    factor->values[0] = 5.0F / 4.0F;
    draft_add_node(d, "Mul", "corrected", "variance", "factor", NULL);
    set(draft_node(d, "eps")->in[0], "corrected");
}

/* A quarter for an eighth: the count is that of another layer. */
static void count_of_another_layer(struct draft_onnx *d)
{
    draft_count_from_input(d);
    draft_tensor(d, "8")->values[0] = 4.0F;
}

/* The values of the features must not reach the statistics, not even a little. */
static void features_leak_into_the_statistics(struct draft_onnx *d)
{
    draft_add_int(draft_add_node(d, "ReduceMean", "leak", "feats", NULL, NULL), "keepdims", 0);
    draft_add_node(d, "Add", "leaky", "concat", "leak", NULL);
    set(draft_node(d, "gemm")->in[0], "leaky");
}

static void one_length_only(struct draft_onnx *d)
{
    d->input_dims[1] = 200;
}

static void std_before_mean(struct draft_onnx *d)
{
    struct draft_node *concat = draft_node(d, "concat");
    set(concat->in[0], "flat_std");
    set(concat->in[1], "flat_mean");
}

static void rows_turned(struct draft_onnx *d)
{
    static const int64_t perm[] = {0, 2, 1};
    draft_add_ints(draft_add_node(d, "Transpose", "turn_mean", "mean", NULL, NULL), "perm", 3,
                   perm);
    draft_add_ints(draft_add_node(d, "Transpose", "turn_std", "sqrt", NULL, NULL), "perm", 3, perm);
    set(draft_node(d, "flat_mean")->in[0], "turn_mean");
    set(draft_node(d, "flat_std")->in[0], "turn_std");
}

static void mean_over_frequency(struct draft_onnx *d)
{
    draft_attribute(draft_node(d, "mean"), "axes")->ints[0] = 2;
}

static void variance_for_std(struct draft_onnx *d)
{
    draft_remove_node(d, "sqrt");
    set(draft_node(d, "flat_std")->in[0], "eps");
}

static void large_epsilon(struct draft_onnx *d)
{
    draft_tensor(d, "1e-7")->values[0] = 1e-3F;
}

static void statistics_of_two_layers(struct draft_onnx *d)
{
    set(draft_node(d, "mean")->in[0], "3/relu2");
}

static void shapes_do_not_broadcast(struct draft_onnx *d)
{
    static const int64_t seven = 7;
    draft_add_tensor(d, "seven", 1, &seven, 1.0);
    set(draft_node(d, "eps")->in[1], "seven");
}

static void axis_out_of_range(struct draft_onnx *d)
{
    draft_attribute(draft_node(d, "concat"), "axis")->ints[0] = INT64_MIN;
}

static void endless_tail(struct draft_onnx *d)
{
    /* Expand to more than any probe holds */
    static const int64_t three = 3;
    struct draft_tensor *shape = draft_add_tensor(d, "vast", 1, &three, 0.0);
    shape->type = 7;
    shape->values[0] = shape->values[1] = shape->values[2] = 1e9F;
    draft_add_node(d, "Expand", "expanded", "sqrt", "vast", NULL);
    set(draft_node(d, "flat_std")->in[0], "expanded");
}

static void unprintable_name(struct draft_onnx *d)
{
    set(draft_tensor(d, "mean_vec")->name, "mean\nvec");
}

static void node_without_operator(struct draft_onnx *d)
{
    draft_node(d, "stem")->op[0] = '\0';
}

static void constant_with_inputs(struct draft_onnx *d)
{
    set(draft_node(d, "cast")->op, "Constant");
}

static void metadata_nonsense(struct draft_onnx *d)
{
    set(d->metadata[0][0], "threshold");
    set(d->metadata[0][1], "very high");
}

static const struct {
    const char *name;
    void (*spoil)(struct draft_onnx *);
    const char *sentence; /* part of it */
} refused[] = {
    {"unknown_operator", unknown_operator, "'sqrt': operator Tanh"},
    {"unknown_activation", unknown_activation, "'2/relu1': operator LeakyRelu"},
    {"foreign_domain", foreign_domain, "com.evil"},
    {"sub_graph", sub_graph, "'group' is a sub-graph"},
    {"attribute_without_type", attribute_without_type, "'group'"},
    {"attribute_twice", attribute_twice, "two attributes 'group'"},
    {"attribute_of_wrong_kind", attribute_of_wrong_kind, "'2/conv1' (Conv): its strides"},
    {"unknown_attribute", unknown_attribute, "'2/conv1' (Conv): attribute 'surprise'"},
    {"stride_3", stride_3, "'2/conv1' (Conv): its strides"},
    {"uneven_stride", uneven_stride, "'2/conv1' (Conv): its strides"},
    {"no_padding", no_padding, "'2/conv1' (Conv): its pads"},
    {"dilated", dilated, "'2/conv1' (Conv): its dilations"},
    {"grouped", grouped, "'2/conv1' (Conv): its group"},
    {"padded_by_rule", padded_by_rule, "'2/conv1' (Conv): its auto_pad"},
    {"other_kernel_shape", other_kernel_shape, "'2/conv1' (Conv): its kernel_shape"},
    {"kernel_of_5", kernel_of_5, "'stem' (Conv): weight 'five'"},
    {"bias_left_out", bias_left_out, "'2/conv2' (Conv) has neither bias nor"},
    {"weight_missing", weight_missing, "'3/conv2' reads '3/conv2.weight', which nothing gives"},
    {"weight_computed", weight_computed, "'4/conv1' (Conv): weight 'computed' is no constant"},
    {"surplus_tensor", surplus_tensor, "'left_over' has no place"},
    {"surplus_node", surplus_node, "'dead_end' (Relu) does not lead to the output"},
    {"edge_given_twice", edge_given_twice, "'2/relu1' is given twice"},
    {"edge_given_by_node_and_tensor", edge_given_by_node_and_tensor, "'3/conv1' is given twice"},
    {"tensor_twice", tensor_twice, "'3/conv1.bias' is given twice"},
    {"cycle", cycle, "is part of a cycle"},
    {"cycle_of_one", cycle_of_one, "'2/relu1' is part of a cycle"},
    {"output_from_nowhere", output_from_nowhere, "'nowhere', which nothing gives"},
    {"two_outputs", two_outputs, "two outputs"},
    {"two_inputs", two_inputs, "'more_feats'"},
    {"no_input", no_input, "no input"},
    {"no_output", no_output, "no output"},
    {"nameless_output", nameless_output, "has no name"},
    {"nameless_input", nameless_input, "has no name"},
    {"identity_of_nothing", identity_of_nothing, "given by Identity where Gemm is needed"},
    {"relu_of_nothing", relu_of_nothing, "closes no residual block"},
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
    {"norm_in_training_mode", norm_in_training_mode, "'bn' is in training mode"},
    {"norm_with_negative_variance", norm_with_negative_variance, "'bn' has a variance of -1"},
    {"norm_without_variance", norm_without_variance, "'bn' (BatchNormalization) has 4 inputs"},
    {"block_without_relu", block_without_relu, "'2/add' is given by Add where Relu is needed"},
    {"shortcut_of_another_layer", shortcut_of_another_layer, "'3/add' (Add) closes no residual"},
    {"shortcut_skips_the_stride", shortcut_skips_the_stride, "'layer4.0.shortcut' is 1x1"},
    {"one_layer_less", one_layer_less, "fewer than three"},
    {"stem_used_twice", stem_used_twice, "'1/add' (Add) closes no residual block"},
    {"gemm_factor", gemm_factor, "'gemm' (Gemm): alpha and beta"},
    {"gemm_without_bias", gemm_without_bias, "'gemm' (Gemm) has 2 inputs"},
    {"gemm_weight_transposed", gemm_weight_transposed,
     "'gemm.weight' has shape [5, 16] where [16, 16]"},
    {"mean_vec_of_one", mean_vec_of_one, "'mean_vec' has shape [1] where [5]"},
    {"mean_vec_less_embedding", mean_vec_less_embedding,
     "'embs' (Sub): its mean vector is no constant"},
    {"features_not_transposed", features_not_transposed, "does not get features [1, T, 16]"},
    {"biased_variance", biased_variance, "biased variance"},
    {"bessel_for_one_length", bessel_for_one_length, "not mean and unbiased standard deviation"},
    {"count_of_another_layer", count_of_another_layer, "not mean and unbiased standard deviation"},
    {"features_leak", features_leak_into_the_statistics, "not mean and unbiased"},
    {"one_length_only", one_length_only, "'feats' is fixed at 200 frames"},
    {"std_before_mean", std_before_mean, "standard deviations before the means"},
    {"rows_turned", rows_turned, "(F, C), not (C, F)"},
    {"mean_over_frequency", mean_over_frequency, "the statistics 'concat'"},
    {"variance_for_std", variance_for_std, "not mean and unbiased standard deviation"},
    {"large_epsilon", large_epsilon, "not mean and unbiased standard deviation"},
    {"statistics_of_two_layers", statistics_of_two_layers, "are taken of two values"},
    {"shapes_do_not_broadcast", shapes_do_not_broadcast, "'eps' (Add) does not fit"},
    {"axis_out_of_range", axis_out_of_range, "'concat' (Concat) does not fit"},
    {"endless_tail", endless_tail, "'expanded' (Expand) does not fit"},
    {"unprintable_name", unprintable_name, "not printable text"},
    {"node_without_operator", node_without_operator, "'stem' has no operator"},
    {"constant_with_inputs", constant_with_inputs, "Constant 'cast' does not state one value"},
    {"metadata_nonsense", metadata_nonsense, "metadata 'threshold' is 'very high'"},
};

static void spoiled_files_are_refused_by_name(void **state)
{
    (void)state;
    size_t n_bad = 0;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct draft_onnx *draft = draft_onnx_new();
        struct net *net = NULL;
        struct vp_err err = {0};
        refused[i].spoil(draft);
        enum vp_status status = load(draft, &net, &err);
        if (status == VP_ERR_MODEL && net == NULL && strstr(err.message, refused[i].sentence))
            continue;
        print_error("%s: %s, \"%s\" lacks \"%s\"\n", refused[i].name, vp_status_name(status),
                    err.message, refused[i].sentence);
        n_bad++;
        net_free(net);
    }
    assert_int_equal(n_bad, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spoiled_files_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
