/* ONNX files whose graph does not hang together. Each case spoils a small good
 * network in one way. */
#include "unit.h"

#include "spoilt.h"

static void bias_left_out(struct draft_onnx *d)
{
    draft_node(d, "2/conv2")->in[2][0] = '\0';
}

static void weight_missing(struct draft_onnx *d)
{
    draft_set(draft_tensor(d, "3/conv2.weight")->name, "elsewhere");
}

static void weight_computed(struct draft_onnx *d)
{
    draft_add_node(d, "Sqrt", "computed", "4/conv1.weight", NULL, NULL);
    draft_set(draft_node(d, "4/conv1")->in[1], "computed");
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
    draft_set(draft_node(d, "3/relu1")->out[0], "2/relu1");
}

static void edge_given_by_node_and_tensor(struct draft_onnx *d)
{
    draft_set(draft_tensor(d, "3/conv2.bias")->name, "3/conv1");
}

static void tensor_twice(struct draft_onnx *d)
{
    draft_set(draft_tensor(d, "3/conv2.bias")->name, "3/conv1.bias");
}

static void cycle(struct draft_onnx *d)
{
    draft_set(draft_node(d, "2/conv1")->in[0], "4/relu2");
}

static void cycle_of_one(struct draft_onnx *d)
{
    draft_set(draft_node(d, "2/relu1")->in[0], "2/relu1");
}

static void output_from_nowhere(struct draft_onnx *d)
{
    draft_set(d->output, "nowhere");
}

static void two_outputs(struct draft_onnx *d)
{
    draft_set(d->second_output, "gemm");
}

static void two_inputs(struct draft_onnx *d)
{
    draft_set(d->second_input, "more_feats");
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
    draft_set(d->output, "-");
}

static void nameless_input(struct draft_onnx *d)
{
    draft_set(d->input, "-");
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
    draft_set(draft_node(d, "2/relu1")->in[0], "void");
}

static const struct spoilt_onnx refused[] = {
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
};

static void spoiled_graphs_are_refused_by_name(void **state)
{
    (void)state;
    spoilt_onnx_expect(refused, sizeof refused / sizeof refused[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spoiled_graphs_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
