/* ONNX files whose operators or attributes are refused. Each case spoils a small good
 * network in one way. */
#include "unit.h"

#include "spoilt.h"

static void unknown_operator(struct draft_onnx *d)
{
    draft_set(draft_node(d, "sqrt")->op, "Tanh");
}

static void unknown_activation(struct draft_onnx *d)
{
    draft_set(draft_node(d, "2/relu1")->op, "LeakyRelu");
}

static void foreign_domain(struct draft_onnx *d)
{
    draft_set(draft_node(d, "stem")->domain, "com.evil");
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
    draft_set(attribute->name, "auto_pad");
    attribute->type = 3;
    draft_set(attribute->text, "SAME_UPPER");
}

static void other_kernel_shape(struct draft_onnx *d)
{
    draft_attribute(draft_node(d, "2/conv1"), "kernel_shape")->ints[0] = 5;
}

static void kernel_of_5(struct draft_onnx *d)
{
    static const int64_t dims[] = {2, 1, 5, 5};
    draft_add_tensor(d, "five", 4, dims, 0.5);
    draft_set(draft_node(d, "stem")->in[1], "five");
}

static const struct spoilt_onnx refused[] = {
    {"unknown_operator", unknown_operator, "'sqrt': operator Tanh"},
    {"unknown_activation", unknown_activation, "'2/relu1': operator LeakyRelu"},
    {"foreign_domain", foreign_domain, "com.evil"},
    {"sub_graph", sub_graph, "'group' is a sub-graph"},
    {"attribute_without_type", attribute_without_type, "'group'"},
    {"attribute_twice", attribute_twice, "two attributes 'group'"},
    {"attribute_of_wrong_kind", attribute_of_wrong_kind, "'2/conv1' (Conv): its strides"},
    {"unknown_attribute", unknown_attribute, "'2/conv1' (Conv): attribute 'surprise'"},
    {"stride_3", stride_3, "'2/conv1' (Conv): its strides"},
    {"uneven_stride", uneven_stride, "has stride 1 in time where 2 is needed"},
    {"no_padding", no_padding, "'2/conv1' (Conv): its pads"},
    {"dilated", dilated, "'2/conv1' (Conv): its dilations"},
    {"grouped", grouped, "'2/conv1' (Conv): its group"},
    {"padded_by_rule", padded_by_rule, "'2/conv1' (Conv): its auto_pad"},
    {"other_kernel_shape", other_kernel_shape, "'2/conv1' (Conv): its kernel_shape"},
    {"kernel_of_5", kernel_of_5, "'stem' (Conv): weight 'five'"},
};

static void spoiled_nodes_are_refused_by_name(void **state)
{
    (void)state;
    spoilt_onnx_expect(refused, sizeof refused / sizeof refused[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spoiled_nodes_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
