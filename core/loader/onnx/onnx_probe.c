/* The unbound parts of the graph, judged by what they compute. */
#include "loader/onnx/onnx_probe.h"

#include "loader/onnx/onnx_eval.h"

#include <math.h>
#include <string.h>

#define TOLERANCE 1e-5 /* relative: constants in the file are float32 */
#define MAX_EPS   2e-7 /* added to the variance: 1e-7 in WeSpeaker, nothing in pyannote */

enum vp_status onnx_probe_find(const struct onnx_graph *graph, size_t pooled, size_t *body,
                               struct vp_err *err)
{
    struct pool pool = {0};
    bool *is_needed = pool_alloc(&pool, graph->n_values, sizeof *is_needed);
    enum vp_status status = VP_OK;
    *body = ONNX_NONE;
    if (is_needed == NULL) {
        status = status_no_memory(err, "the graph", graph->n_values);
        goto out;
    }
    is_needed[pooled] = true;
    for (size_t i = graph->n_nodes; i-- > 0 && status == VP_OK;) {
        const struct onnx_node *node = &graph->nodes[graph->order[i]];
        bool gives = false;
        for (size_t j = 0; j < node->n_outputs; j++)
            gives |= node->outputs[j] != ONNX_NONE && is_needed[node->outputs[j]];
        if (!gives)
            continue;
        if (strcmp(node->op, "Relu") != 0) {
            for (size_t j = 0; j < node->n_inputs; j++)
                if (node->inputs[j] != ONNX_NONE)
                    is_needed[node->inputs[j]] = true;
        } else if (*body == ONNX_NONE) {
            *body = node->outputs[0];
        } else {
            status =
                status_fail(err, VP_ERR_MODEL,
                            "ONNX: the statistics are taken of two values, '%.80s' and '%.80s'",
                            graph->values[*body].name, graph->values[node->outputs[0]].name);
        }
    }
    if (status == VP_OK && *body == ONNX_NONE)
        status = status_fail(err, VP_ERR_MODEL, "ONNX: '%.100s' is not computed from any ReLU",
                             graph->values[pooled].name);
out:
    pool_free(&pool);
    return status;
}

/* An array of dims [n_dims] filled with numbers without order in [0, 64): wide enough for what is
 * added to the variance not to show. */
static enum vp_status fill(struct pool *pool, const size_t *dims, size_t n_dims,
                           struct onnx_array *array)
{
    uint32_t state = 1;
    enum vp_status status = onnx_array_new(pool, dims, n_dims, array);
    for (size_t i = 0; i < array->n_values && status == VP_OK; i++) {
        state = state * 1664525u + 1013904223u; /* Numerical Recipes' generator */
        array->data[i] = (double)(state >> 8) / 262144.0;
    }
    return status;
}

static bool close_to(double value, double expected)
{
    return fabs(value - expected) <= TOLERANCE * fmax(fabs(expected), 0.01);
}

enum vp_status onnx_probe_features(const struct onnx_graph *graph, const struct net *net,
                                   size_t head, struct vp_err *err)
{
    struct pool pool = {0};
    const size_t n_frames = 11, n_mels = net->n_mels;
    const size_t dims[] = {1, n_frames, n_mels};
    struct onnx_given given = {.value = graph->input};
    struct onnx_array result;
    const double *probe = NULL;
    enum vp_status status = fill(&pool, dims, 3, &given.array);
    if (status != VP_OK) {
        status = status_fail(err, status, "ONNX: features of %zu bins cannot be probed", n_mels);
        goto out;
    }
    status = onnx_eval(graph, &given, 1, head, &pool, &result, err);
    if (status != VP_OK)
        goto out;
    probe = given.array.data;
    bool same = result.n_dims == 4 && result.dims[0] == 1 && result.dims[1] == 1 &&
                result.dims[2] == n_mels && result.dims[3] == n_frames;
    for (size_t f = 0; f < n_mels && same; f++)
        for (size_t t = 0; t < n_frames && same; t++)
            same = close_to(result.data[f * n_frames + t], probe[t * n_mels + f]);
    if (!same)
        status = status_fail(err, VP_ERR_MODEL,
                             "ONNX: '%.80s' does not get features [1, T, %zu] as [1, 1, %zu, T]",
                             graph->values[head].name, n_mels, n_mels);
out:
    pool_free(&pool);
    return status;
}

/* The definition: mean and standard deviation of row r of body [1, C, F, T]. */
static void row_statistics(const struct onnx_array *body, size_t r, double *mean, double *std,
                           double *biased_std)
{
    size_t n_frames = body->dims[3];
    double sum = 0.0, squares = 0.0;
    for (size_t t = 0; t < n_frames; t++)
        sum += body->data[r * n_frames + t];
    *mean = sum / (double)n_frames;
    for (size_t t = 0; t < n_frames; t++)
        squares += pow(body->data[r * n_frames + t] - *mean, 2.0);
    *std = sqrt(squares / (double)(n_frames - 1));
    *biased_std = sqrt(squares / (double)n_frames);
}

/* How the values [2 * C * F] differ from the definition, NULL when they do not. */
static const char *judge(const struct onnx_array *body, const struct onnx_array *pooled)
{
    size_t n_channels = body->dims[1], n_freq = body->dims[2], n_rows = n_channels * n_freq;
    if (pooled->n_dims != 2 || pooled->dims[0] != 1 || pooled->dims[1] != 2 * n_rows)
        return "do not have the shape [1, 2 * C * F]";
    bool good = true, swapped = true, turned = true, biased = true;
    for (size_t r = 0; r < n_rows; r++) {
        double mean, std, biased_std;
        row_statistics(body, r, &mean, &std, &biased_std);
        size_t turned_r = r % n_freq * n_channels + r / n_freq; /* row f * C + c */
        double first = pooled->data[r], second = pooled->data[n_rows + r];
        /* The last row is constant: what is added to the variance shows there. */
        bool is_std =
            r == n_rows - 1 ? second >= 0.0 && second <= sqrt(MAX_EPS) : close_to(second, std);
        good &= close_to(first, mean) && is_std;
        if (r == n_rows - 1)
            continue;
        swapped &= close_to(second, mean) && close_to(first, std);
        turned &= close_to(pooled->data[turned_r], mean);
        biased &= close_to(first, mean) && close_to(second, biased_std);
    }
    if (good)
        return NULL;
    return biased    ? "have the biased variance (divided by T, not T - 1)"
           : swapped ? "have the standard deviations before the means"
           : turned  ? "are flattened as (F, C), not (C, F)"
                     : "are not mean and unbiased standard deviation over time";
}

static enum vp_status probe_frames(const struct onnx_graph *graph, const struct net *net,
                                   size_t body, size_t pooled, size_t n_frames, struct vp_err *err)
{
    struct pool pool = {0};
    const struct net_stage *last = &net->stages[VP_MAX_STAGES - 1];
    const struct net_block *block = &last->blocks[last->n_blocks - 1];
    const size_t dims[] = {1, block->convs[block->n_convs - 1].n_out,
                           net_stage_n_freq(net, VP_MAX_STAGES - 1), n_frames};
    /* The features too: some exporters count the frames at the input. Three times halved, rounding
     * up, 8 (T - 1) + 1 gives T. */
    const size_t input_dims[] = {1, 8 * (n_frames - 1) + 1, net->n_mels};
    struct onnx_given given[2] = {{.value = body}, {.value = graph->input}};
    struct onnx_array result;
    const char *fault = NULL;
    enum vp_status status = fill(&pool, dims, 4, &given[0].array);
    if (status == VP_OK)
        status = fill(&pool, input_dims, 3, &given[1].array);
    if (status != VP_OK) {
        status =
            status_fail(err, status, "ONNX: statistics of %zu channels cannot be probed", dims[1]);
        goto out;
    }
    for (size_t i = given[0].array.n_values - n_frames; i < given[0].array.n_values; i++)
        given[0].array.data[i] = 0.75; /* a row without variance */
    status = onnx_eval(graph, given, 2, pooled, &pool, &result, err);
    if (status != VP_OK)
        goto out;
    fault = judge(&given[0].array, &result);
    if (fault != NULL)
        status = status_fail(err, VP_ERR_MODEL, "ONNX: the statistics '%.80s' %s",
                             graph->values[pooled].name, fault);
out:
    pool_free(&pool);
    return status;
}

enum vp_status onnx_probe_statistics(const struct onnx_graph *graph, const struct net *net,
                                     size_t body, size_t pooled, struct vp_err *err)
{
    /* Two lengths: a factor T / (T - 1) that was baked in for one of them shows at the other. */
    enum vp_status status = probe_frames(graph, net, body, pooled, 5, err);
    return status != VP_OK ? status : probe_frames(graph, net, body, pooled, 8, err);
}
