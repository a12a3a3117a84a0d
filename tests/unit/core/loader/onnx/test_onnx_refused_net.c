/* ONNX files that are sound and hold another network, or another order of it. Each case spoils a
 * small good network in one way. */
#include "unit.h"

#include "spoilt.h"

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
    draft_set(draft_node(d, "3/conv1")->in[0], "2/add");
    draft_set(draft_node(d, "3/shortcut")->in[0], "2/add");
}

static void shortcut_of_another_layer(struct draft_onnx *d)
{
    draft_set(draft_node(d, "3/shortcut")->in[0], "2/relu1");
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
    draft_set(draft_node(d, "2/shortcut")->in[0], "1/relu2");
    draft_set(draft_node(d, "1/add")->in[1], "1/conv2");
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
    draft_set(embs->in[0], "mean_vec");
    draft_set(embs->in[1], "gemm");
}

static void features_not_transposed(struct draft_onnx *d)
{
    draft_remove_node(d, "transpose");
    draft_set(draft_node(d, "unsqueeze")->in[0], "feats");
}

static void biased_variance(struct draft_onnx *d)
{
    draft_set(draft_node(d, "eps")->in[0], "variance");
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
    draft_set(draft_node(d, "eps")->in[0], "corrected");
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
    draft_set(draft_node(d, "gemm")->in[0], "leaky");
}

static void one_length_only(struct draft_onnx *d)
{
    d->input_dims[1] = 200;
}

static void std_before_mean(struct draft_onnx *d)
{
    struct draft_node *concat = draft_node(d, "concat");
    draft_set(concat->in[0], "flat_std");
    draft_set(concat->in[1], "flat_mean");
}

static void rows_turned(struct draft_onnx *d)
{
    static const int64_t perm[] = {0, 2, 1};
    draft_add_ints(draft_add_node(d, "Transpose", "turn_mean", "mean", NULL, NULL), "perm", 3,
                   perm);
    draft_add_ints(draft_add_node(d, "Transpose", "turn_std", "sqrt", NULL, NULL), "perm", 3, perm);
    draft_set(draft_node(d, "flat_mean")->in[0], "turn_mean");
    draft_set(draft_node(d, "flat_std")->in[0], "turn_std");
}

static void mean_over_frequency(struct draft_onnx *d)
{
    draft_attribute(draft_node(d, "mean"), "axes")->ints[0] = 2;
}

static void variance_for_std(struct draft_onnx *d)
{
    draft_remove_node(d, "sqrt");
    draft_set(draft_node(d, "flat_std")->in[0], "eps");
}

static void large_epsilon(struct draft_onnx *d)
{
    draft_tensor(d, "1e-7")->values[0] = 1e-3F;
}

static void statistics_of_two_layers(struct draft_onnx *d)
{
    draft_set(draft_node(d, "mean")->in[0], "3/relu2");
}

static void shapes_do_not_broadcast(struct draft_onnx *d)
{
    static const int64_t seven = 7;
    draft_add_tensor(d, "seven", 1, &seven, 1.0);
    draft_set(draft_node(d, "eps")->in[1], "seven");
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
    draft_set(draft_node(d, "flat_std")->in[0], "expanded");
}

static void unprintable_name(struct draft_onnx *d)
{
    draft_set(draft_tensor(d, "mean_vec")->name, "mean\nvec");
}

static void node_without_operator(struct draft_onnx *d)
{
    draft_node(d, "stem")->op[0] = '\0';
}

static void constant_with_inputs(struct draft_onnx *d)
{
    draft_set(draft_node(d, "cast")->op, "Constant");
}

static void metadata_nonsense(struct draft_onnx *d)
{
    draft_set(d->metadata[0][0], "threshold");
    draft_set(d->metadata[0][1], "very high");
}

static const struct spoilt_onnx refused[] = {
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

static void other_networks_are_refused_by_name(void **state)
{
    (void)state;
    spoilt_onnx_expect(refused, sizeof refused / sizeof refused[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(other_networks_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
