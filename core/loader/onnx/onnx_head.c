/* embs <- [Sub mean_vec] <- Gemm, or Add and MatMul <- statistics */
#include "loader/onnx/onnx_head.h"

#include "loader/onnx/onnx_walk.h"

#include <stdlib.h>
#include <string.h>

static enum vp_status find_constant(const struct onnx_graph *graph, const struct onnx_node *reader,
                                    size_t value, const char *what, const struct tensor **out,
                                    struct vp_err *err)
{
    *out = onnx_walk_constant(graph, value);
    if (*out != NULL)
        return VP_OK;
    return status_fail(err, VP_ERR_MODEL, "ONNX: node '%.80s' (%.40s): its %s is no constant",
                       reader->name, reader->op, what);
}

/* The matrix of a fully connected layer, itself or through a Transpose node. */
static enum vp_status find_matrix(const struct onnx_graph *graph, const struct onnx_node *reader,
                                  size_t value, bool is_transposed, struct onnx_head *head,
                                  struct vp_err *err)
{
    struct onnx_node *node = onnx_producer(graph, onnx_walk_source(graph, value));
    if (onnx_walk_is(node, "Transpose")) {
        const struct onnx_attribute *perm = onnx_attribute(node, "perm");
        enum vp_status status = onnx_walk_use(node, "perm", 1, 1, err);
        if (status != VP_OK)
            return status;
        if (perm != NULL && (perm->kind != ONNX_ATTRIBUTE_INTS || perm->n_values != 2 ||
                             perm->integers[0] != 1 || perm->integers[1] != 0))
            return status_fail(err, VP_ERR_MODEL,
                               "ONNX: node '%.100s' (Transpose): perm must be [1, 0]", node->name);
        is_transposed = !is_transposed;
        value = node->inputs[0];
    }
    head->is_transposed = is_transposed;
    return find_constant(graph, reader, value, "matrix", &head->matrix, err);
}

static enum vp_status find_gemm(const struct onnx_graph *graph, struct onnx_node *gemm,
                                struct onnx_head *head, struct vp_err *err)
{
    enum vp_status status = onnx_walk_use(gemm, "alpha beta transA transB", 3, 3, err);
    if (status != VP_OK)
        return status;
    const struct onnx_attribute *alpha = onnx_attribute(gemm, "alpha");
    const struct onnx_attribute *beta = onnx_attribute(gemm, "beta");
    int64_t trans_a, trans_b;
    /* A factor of exactly 1 is the only one that needs no arithmetic to explain. */
    bool plain = (alpha == NULL || (alpha->kind == ONNX_ATTRIBUTE_FLOAT && alpha->number == 1.0)) &&
                 (beta == NULL || (beta->kind == ONNX_ATTRIBUTE_FLOAT && beta->number == 1.0)) &&
                 onnx_attribute_int(gemm, "transA", 0, &trans_a) && trans_a == 0 &&
                 onnx_attribute_int(gemm, "transB", 0, &trans_b) && (trans_b == 0 || trans_b == 1);
    if (!plain)
        return status_fail(err, VP_ERR_MODEL,
                           "ONNX: node '%.100s' (Gemm): alpha and beta must be 1, transA 0",
                           gemm->name);
    head->pooled = gemm->inputs[0];
    status = find_matrix(graph, gemm, gemm->inputs[1], trans_b == 0, head, err);
    return status != VP_OK ? status
                           : find_constant(graph, gemm, gemm->inputs[2], "bias", &head->bias, err);
}

/* Add(MatMul(pooled, matrix), bias), the operands of Add in either order. */
static enum vp_status find_matmul(const struct onnx_graph *graph, struct onnx_node *add,
                                  struct onnx_head *head, struct vp_err *err)
{
    enum vp_status status = onnx_walk_use(add, "", 2, 2, err);
    if (status != VP_OK)
        return status;
    size_t product = onnx_walk_source(graph, add->inputs[0]);
    size_t bias = add->inputs[1];
    if (!onnx_walk_is(onnx_producer(graph, product), "MatMul")) {
        product = onnx_walk_source(graph, add->inputs[1]);
        bias = add->inputs[0];
    }
    struct onnx_node *matmul = NULL;
    status = onnx_walk_expect(graph, product, "MatMul", &matmul, err);
    if (status == VP_OK)
        status = onnx_walk_use(matmul, "", 2, 2, err);
    if (status != VP_OK)
        return status;
    head->pooled = matmul->inputs[0];
    status = find_matrix(graph, matmul, matmul->inputs[1], true, head, err);
    return status != VP_OK ? status : find_constant(graph, add, bias, "bias", &head->bias, err);
}

enum vp_status onnx_head_mean(const struct onnx_graph *graph, size_t *value,
                              const struct tensor **mean_vec, struct vp_err *err)
{
    *mean_vec = NULL;
    *value = onnx_walk_source(graph, *value);
    struct onnx_node *node = onnx_producer(graph, *value);
    if (!onnx_walk_is(node, "Sub"))
        return VP_OK;
    enum vp_status status = onnx_walk_use(node, "", 2, 2, err);
    if (status == VP_OK)
        status = find_constant(graph, node, node->inputs[1], "mean vector", mean_vec, err);
    if (status == VP_OK)
        *value = onnx_walk_source(graph, node->inputs[0]);
    return status;
}

enum vp_status onnx_head_find(const struct onnx_graph *graph, struct onnx_head *head,
                              struct vp_err *err)
{
    *head = (struct onnx_head){0};
    size_t value = graph->output;
    enum vp_status status = onnx_head_mean(graph, &value, &head->mean_vec, err);
    if (status != VP_OK)
        return status;
    struct onnx_node *node = onnx_producer(graph, value);
    if (onnx_walk_is(node, "Add"))
        return find_matmul(graph, node, head, err);
    status = onnx_walk_expect(graph, value, "Gemm", &node, err);
    return status != VP_OK ? status : find_gemm(graph, node, head, err);
}

static enum vp_status read_floats(const struct tensor *tensor, float **out, struct vp_err *err)
{
    *out = malloc(tensor->n_values * sizeof **out);
    if (*out == NULL)
        return status_no_memory(err, "weights", tensor->n_values * sizeof **out);
    return tensor_read_floats(tensor, *out, err);
}

enum vp_status onnx_head_vector(const struct tensor *tensor, size_t dim, float **out,
                                struct vp_err *err)
{
    const size_t dims[] = {1, dim};
    enum vp_status status = tensor->n_dims == 2 ? tensor_check_shape(tensor, dims, 2, err)
                                                : tensor_check_shape(tensor, dims + 1, 1, err);
    return status != VP_OK ? status : read_floats(tensor, out, err);
}

/* values: [n_rows, n_columns] -> owned [n_columns, n_rows] */
static float *transpose(const float *values, size_t n_rows, size_t n_columns)
{
    float *out = malloc(n_rows * n_columns * sizeof *out);
    for (size_t r = 0; r < n_rows && out != NULL; r++)
        for (size_t c = 0; c < n_columns; c++)
            out[c * n_rows + r] = values[r * n_columns + c];
    return out;
}

enum vp_status onnx_head_read(const struct onnx_head *head, struct net *net, struct vp_err *err)
{
    const struct net_stage *last = &net->stages[VP_MAX_STAGES - 1];
    const struct net_block *block = &last->blocks[last->n_blocks - 1];
    const size_t rows[] = {2, block->convs[block->n_convs - 1].n_out,
                           net_stage_n_freq(net, VP_MAX_STAGES - 1)};
    size_t n_rows = 0;
    net->dim = head->matrix->dims[head->is_transposed ? 1 : 0];
    if (!size_product(rows, 3, &n_rows) || head->matrix->n_values == 0)
        return status_fail(err, VP_ERR_MODEL, "ONNX: tensor '%.100s' is no matrix",
                           head->matrix->name);
    const size_t dims[] = {net->dim, n_rows, net->dim};
    enum vp_status status =
        tensor_check_shape(head->matrix, head->is_transposed ? dims + 1 : dims, 2, err);
    if (status == VP_OK)
        status = read_floats(head->matrix, &net->fc_weight, err);
    if (status == VP_OK && head->is_transposed) {
        float *turned = transpose(net->fc_weight, n_rows, net->dim);
        free(net->fc_weight);
        net->fc_weight = turned;
        if (turned == NULL)
            status = status_no_memory(err, "weights", head->matrix->n_values * sizeof *turned);
    }
    if (status == VP_OK)
        status = onnx_head_vector(head->bias, net->dim, &net->fc_bias, err);
    if (status == VP_OK && head->mean_vec != NULL)
        status = onnx_head_vector(head->mean_vec, net->dim, &net->mean_vec, err);
    return status;
}
