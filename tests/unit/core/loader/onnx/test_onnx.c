/* ONNX files: spellings of one network that must be understood, and give the same weights. */
#include "unit.h"

#include "draft_onnx.h"
#include "loader/net_load.h"
#include "spoilt.h"

#include <math.h>

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

/* All values of the sum over channels and frequencies: one for each frame. */
static void count_by_size(struct draft_onnx *d)
{
    static const int64_t axes[] = {0, 1, 2};
    draft_add_ints(draft_add_node(d, "ReduceSum", "sum", "4/relu2", NULL, NULL), "axes", 3, axes);
    draft_add_node(d, "Size", "size", "sum", NULL, NULL);
    set(draft_node(d, "cast")->in[0], "size");
    draft_remove_node(d, "count");
    draft_remove_node(d, "gather");
    draft_remove_node(d, "shape");
    set(draft_node(d, "flat_mean")->in[0], "flat");
    draft_add_node(d, "Squeeze", "flat", "mean", "last", NULL); /* uses up "last" */
    draft_attribute(draft_node(d, "mean"), "keepdims")->ints[0] = 1;
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
        draft_count_from_input,
        count_by_size,
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
        if (spoilt_onnx_load(draft, &net, &err) != VP_OK)
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

static void batch_norm_is_folded(void **state)
{
    (void)state;
    struct draft_onnx *plain = draft_onnx_new();
    draft_add_norm(plain);
    struct draft_onnx *draft = draft_onnx_new();
    draft_add_norm(draft);
    struct net *net = NULL;
    struct vp_err err = {0};
    assert_int_equal(spoilt_onnx_load(draft, &net, &err), VP_OK);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spellings_give_the_same_net),
        cmocka_unit_test(batch_norm_is_folded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
