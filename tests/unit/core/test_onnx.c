/*
 * ONNX files: spellings that must be understood, and files that must be refused by name. Each case
 * spoils a small good network in one way.
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

/* ---- spellings that are understood -------------------------------------------------------- */

static void set(char *text, const char *value)
{
    strcpy(text, value); /* flawfinder: ignore -- literals of this file, shorter than the fields */
}

static void as_published(struct draft_onnx *d)
{
    (void)d;
}

static void nodes_in_reverse(struct draft_onnx *d)
{
    for (size_t i = 0; i < d->n_nodes / 2; i++) {
        struct draft_node node = d->nodes[i];
        d->nodes[i] = d->nodes[d->n_nodes - 1 - i];
        d->nodes[d->n_nodes - 1 - i] = node;
    }
}

static void without_mean_vec(struct draft_onnx *d)
{
    draft_remove_node(d, "embs");
    set(d->output, "gemm");
    d->n_tensors--; /* mean_vec is the last one */
}

static void identity_behind_the_output(struct draft_onnx *d)
{
    draft_add_node(d, "Identity", "copy", "embs", NULL, NULL);
    set(d->output, "copy");
}

static void identity_before_a_weight(struct draft_onnx *d)
{
    draft_add_node(d, "Identity", "copy", "3/conv1.bias", NULL, NULL);
    set(draft_node(d, "3/conv1")->in[2], "copy");
}

static void cast_to_float_between(struct draft_onnx *d)
{
    draft_add_int(draft_add_node(d, "Cast", "to_float", "2/conv1", NULL, NULL), "to", 1);
    set(draft_node(d, "2/relu1")->in[0], "to_float");
}

static void shortcut_first(struct draft_onnx *d)
{
    struct draft_node *add = draft_node(d, "3/add");
    set(add->in[0], "3/shortcut");
    set(add->in[1], "3/conv2");
}

static void identity_shortcut_first(struct draft_onnx *d)
{
    struct draft_node *add = draft_node(d, "1/add");
    set(add->in[0], "stem/relu");
    set(add->in[1], "1/conv2");
}

/* gemm.weight as [rows, dim] */
static void transpose_gemm_weight(struct draft_onnx *d)
{
    struct draft_tensor *weight = draft_tensor(d, "gemm.weight"), old = *weight;
    for (size_t r = 0; r < 16; r++)
        for (size_t i = 0; i < DRAFT_DIM; i++)
            weight->values[r * DRAFT_DIM + i] = old.values[i * 16 + r];
    weight->dims[0] = 16;
    weight->dims[1] = DRAFT_DIM;
}

static void gemm_without_trans_b(struct draft_onnx *d)
{
    transpose_gemm_weight(d);
    draft_attribute(draft_node(d, "gemm"), "transB")->ints[0] = 0;
}

static void gemm_as_matmul_and_add(struct draft_onnx *d)
{
    transpose_gemm_weight(d);
    struct draft_node *gemm = draft_node(d, "gemm");
    set(gemm->op, "Add");
    set(gemm->in[0], "gemm.bias");
    set(gemm->in[1], "product");
    gemm->in[2][0] = '\0';
    gemm->n_attributes = 0;
    draft_add_node(d, "MatMul", "product", "concat", "gemm.weight", NULL);
}

static void matmul_of_transposed_weight(struct draft_onnx *d)
{
    static const int64_t perm[] = {1, 0};
    gemm_as_matmul_and_add(d);
    struct draft_tensor *weight = draft_tensor(d, "gemm.weight"), old = *weight;
    for (size_t r = 0; r < 16; r++)
        for (size_t i = 0; i < DRAFT_DIM; i++)
            weight->values[i * 16 + r] = old.values[r * DRAFT_DIM + i];
    weight->dims[0] = DRAFT_DIM;
    weight->dims[1] = 16;
    draft_add_ints(draft_add_node(d, "Transpose", "turned", "gemm.weight", NULL, NULL), "perm", 2,
                   perm);
    set(draft_node(d, "product")->in[1], "turned");
}

static void square_by_pow(struct draft_onnx *d)
{
    struct draft_tensor *two = draft_add_tensor(d, "two", 0, NULL, 0.0);
    two->values[0] = 2.0F;
    set(draft_node(d, "square")->op, "Pow");
    set(draft_node(d, "square")->in[1], "two");
}

static void variance_by_sum_and_div(struct draft_onnx *d)
{
    set(draft_node(d, "variance")->op, "ReduceSum");
    draft_node(d, "variance")->n_attributes = 0;
    set(draft_node(d, "variance")->in[1], "last"); /* axes as input, kept dimension squeezed */
    set(draft_node(d, "bessel")->in[0], "squeezed");
    draft_add_node(d, "Squeeze", "squeezed", "variance", "last", NULL);
    draft_remove_node(d, "scale");
}

static void count_by_slice_of_shape(struct draft_onnx *d)
{
    static const int64_t one = 1;
    struct draft_tensor *end = draft_add_tensor(d, "end", 1, &one, 0.0);
    end->type = 7;
    end->values[0] = 9e9F; /* past the end is the end */
    struct draft_node *gather = draft_node(d, "gather");
    set(gather->op, "Slice");
    gather->n_attributes = 0;
    set(gather->in[1], "last");
    set(gather->in[2], "end");
}

/* As torch.export writes a shape: (frames of the input - 1) / 8 + 1, in whole numbers. */
static void count_from_the_input(struct draft_onnx *d)
{
    static const struct {
        const char *name;
        float value;
    } numbers[] = {{"minus_1", -1.0F}, {"8", 8.0F}, {"plus_1", 1.0F}};
    for (size_t i = 0; i < 3; i++) {
        struct draft_tensor *tensor = draft_add_tensor(d, numbers[i].name, 0, NULL, 0.0);
        tensor->type = 7;
        tensor->values[0] = numbers[i].value;
    }
    struct draft_node *shape = draft_node(d, "shape");
    set(shape->in[0], "feats");
    draft_add_int(shape, "start", 1);
    draft_add_int(shape, "end", 2);
    draft_remove_node(d, "gather");
    draft_tensor(d, "last")->values[0] = 0.0F; /* the axis to squeeze, now */
    draft_add_node(d, "Squeeze", "frames", "shape", "last", NULL);
    draft_add_node(d, "Add", "less_1", "frames", "minus_1", NULL);
    draft_add_node(d, "Div", "eighth", "less_1", "8", NULL);
    draft_add_node(d, "Add", "frames_4", "eighth", "plus_1", NULL);
    set(draft_node(d, "cast")->in[0], "frames_4");
    draft_remove_node(d, "count");
}

static void reshape_for_flatten(struct draft_onnx *d)
{
    static const int64_t two = 2;
    struct draft_tensor *shape = draft_add_tensor(d, "shape_of_rows", 1, &two, 0.0);
    shape->type = 7;
    shape->is_typed = true;
    shape->values[1] = -1.0F; /* [0, -1] */
    set(draft_node(d, "flat_mean")->op, "Reshape");
    set(draft_node(d, "flat_mean")->in[1], "shape_of_rows");
    draft_node(d, "flat_mean")->n_attributes = 0;
}

static void without_epsilon(struct draft_onnx *d)
{
    draft_tensor(d, "1e-7")->values[0] = 0.0F;
}

static void typed_data(struct draft_onnx *d)
{
    for (size_t i = 0; i < d->n_tensors; i++)
        d->tensors[i].is_typed = true;
}

static void input_shape_left_open(struct draft_onnx *d)
{
    d->input_dims[2] = -1;
    set(d->metadata[0][0], "n_mels");
    set(d->metadata[0][1], "16");
}

static void initialiser_among_the_inputs(struct draft_onnx *d)
{
    set(d->second_input, "gemm.bias");
}

static void opset_20_ir_10(struct draft_onnx *d)
{
    d->opset = 20;
    d->ir = 10;
}

/* The weights must come out as those of the plain file, whatever the spelling. */
static void spellings_give_the_same_net(void **state)
{
    (void)state;
    static void (*const spellings[])(struct draft_onnx *) = {
        as_published,
        nodes_in_reverse,
        without_mean_vec,
        identity_behind_the_output,
        identity_before_a_weight,
        cast_to_float_between,
        shortcut_first,
        identity_shortcut_first,
        gemm_without_trans_b,
        gemm_as_matmul_and_add,
        matmul_of_transposed_weight,
        square_by_pow,
        variance_by_sum_and_div,
        count_by_slice_of_shape,
        count_from_the_input,
        reshape_for_flatten,
        without_epsilon,
        typed_data,
        input_shape_left_open,
        initialiser_among_the_inputs,
        opset_20_ir_10,
    };
    struct draft_onnx *plain = draft_onnx_new();
    for (size_t i = 0; i < sizeof spellings / sizeof spellings[0]; i++) {
        struct draft_onnx *draft = draft_onnx_new();
        struct net *net = NULL;
        struct vp_err err = {0};
        spellings[i](draft);
        bool has_mean_vec = strcmp(draft->output, "gemm") != 0;
        if (load(draft, &net, &err) != VP_OK)
            fail_msg("spelling %zu: %s", i, err.message);
        assert_int_equal(net->dim, DRAFT_DIM);
        assert_int_equal(net->n_mels, DRAFT_N_MELS);
        assert_memory_equal(net->stages[2].blocks[0].convs[0].weight,
                            draft_tensor(plain, "3/conv1.weight")->values, 54 * sizeof(float));
        assert_memory_equal(net->stages[2].blocks[0].convs[0].bias,
                            draft_tensor(plain, "3/conv1.bias")->values, 3 * sizeof(float));
        assert_memory_equal(net->stages[3].blocks[0].shortcut.weight,
                            draft_tensor(plain, "4/shortcut.weight")->values, 12 * sizeof(float));
        assert_memory_equal(net->fc_weight, draft_tensor(plain, "gemm.weight")->values,
                            (size_t)16 * DRAFT_DIM * sizeof(float));
        assert_memory_equal(net->fc_bias, draft_tensor(plain, "gemm.bias")->values,
                            DRAFT_DIM * sizeof(float));
        if (has_mean_vec)
            assert_memory_equal(net->mean_vec, draft_tensor(plain, "mean_vec")->values,
                                DRAFT_DIM * sizeof(float));
        else
            assert_null(net->mean_vec);
        assert_false(net->stages[0].blocks[0].has_shortcut);
        assert_int_equal(net->stages[1].blocks[0].convs[0].stride, 2);
        net_free(net);
    }
    free(plain);
}

/* BatchNorm after "3/conv1", folded by hand. */
static void add_norm(struct draft_onnx *d)
{
    static const int64_t three = 3;
    static const char *const names[] = {"bn.weight", "bn.bias", "bn.mean", "bn.variance"};
    struct draft_node *norm =
        draft_add_node(d, "BatchNormalization", "bn", "3/conv1", names[0], names[1]);
    set(norm->in[3], names[2]);
    set(norm->in[4], names[3]);
    for (size_t i = 0; i < 4; i++)
        draft_add_tensor(d, names[i], 1, &three, 0.5);
    for (size_t i = 0; i < 3; i++)
        draft_tensor(d, names[3])->values[i] += 1.0F;
    set(draft_node(d, "3/relu1")->in[0], "bn");
}

static void batch_norm_is_folded(void **state)
{
    (void)state;
    struct draft_onnx *plain = draft_onnx_new();
    add_norm(plain);
    struct draft_onnx *draft = draft_onnx_new();
    add_norm(draft);
    struct net *net = NULL;
    struct vp_err err = {0};
    assert_int_equal(load(draft, &net, &err), VP_OK);
    const struct net_conv *conv = &net->stages[2].blocks[0].convs[0];
    for (size_t o = 0; o < 3; o++) {
        double scale = (double)draft_tensor(plain, "bn.weight")->values[o] /
                       sqrt((double)draft_tensor(plain, "bn.variance")->values[o] + 1e-5);
        double bias = ((double)draft_tensor(plain, "3/conv1.bias")->values[o] -
                       (double)draft_tensor(plain, "bn.mean")->values[o]) *
                          scale +
                      (double)draft_tensor(plain, "bn.bias")->values[o];
        assert_true(fabs((double)conv->bias[o] - bias) < 1e-7);
        for (size_t i = 0; i < 18; i++) {
            double weight =
                (double)draft_tensor(plain, "3/conv1.weight")->values[o * 18 + i] * scale;
            assert_true(fabs((double)conv->weight[o * 18 + i] - weight) < 1e-7);
        }
    }
    net_free(net);
    free(plain);
}

/* ---- files that are refused --------------------------------------------------------------- */

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
    add_norm(d);
    draft_add_int(draft_node(d, "bn"), "training_mode", 1);
}

static void norm_with_negative_variance(struct draft_onnx *d)
{
    add_norm(d);
    draft_tensor(d, "bn.variance")->values[1] = -1.0F;
}

static void norm_without_variance(struct draft_onnx *d)
{
    add_norm(d);
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
    count_from_the_input(d);
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

/* ---- bytes -------------------------------------------------------------------------------- */

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
        cmocka_unit_test(spellings_give_the_same_net),
        cmocka_unit_test(batch_norm_is_folded),
        cmocka_unit_test(spoiled_files_are_refused_by_name),
        cmocka_unit_test(cut_files_are_refused),
        cmocka_unit_test(flipped_bits_do_no_harm),
        cmocka_unit_test(broken_wire_is_refused),
        cmocka_unit_test(deep_nesting_is_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
