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

bool onnx_probe_close(double value, double expected)
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
            same = onnx_probe_close(result.data[f * n_frames + t], probe[t * n_mels + f]);
    if (!same)
        status = status_fail(err, VP_ERR_MODEL,
                             "ONNX: '%.80s' does not get features [1, T, %zu] as [1, 1, %zu, T]",
                             graph->values[head].name, n_mels, n_mels);
out:
    pool_free(&pool);
    return status;
}

enum vp_status onnx_probe_run(const struct onnx_graph *graph, size_t n_mels, size_t n_input_frames,
                              size_t value, const size_t *dims, size_t n_dims, size_t target,
                              struct pool *pool, struct onnx_array *given,
                              struct onnx_array *result, struct vp_err *err)
{
    /* The features too: some exporters count the frames at the input. */
    const size_t input_dims[] = {1, n_input_frames, n_mels};
    struct onnx_given both[2] = {{.value = value}, {.value = graph->input}};
    enum vp_status status = fill(pool, dims, n_dims, &both[0].array);
    if (status == VP_OK)
        status = fill(pool, input_dims, 3, &both[1].array);
    if (status != VP_OK)
        return status_fail(err, status, "ONNX: %zu channels at '%.80s' cannot be probed", dims[1],
                           graph->values[value].name);
    double *last = both[0].array.data + both[0].array.n_values;
    for (size_t t = 1; t <= dims[n_dims - 1]; t++)
        last[-(ptrdiff_t)t] = 0.75; /* a row without variance */
    *given = both[0].array;
    return onnx_eval(graph, both, 2, target, pool, result, err);
}

/* The definition: mean and standard deviation of row [n_frames]. */
static void row_statistics(const double *row, size_t n_frames, double *mean, double *std,
                           double *biased_std)
{
    double sum = 0.0, squares = 0.0;
    for (size_t t = 0; t < n_frames; t++)
        sum += row[t];
    *mean = sum / (double)n_frames;
    for (size_t t = 0; t < n_frames; t++)
        squares += pow(row[t] - *mean, 2.0);
    *std = sqrt(squares / (double)(n_frames - 1));
    *biased_std = sqrt(squares / (double)n_frames);
}

/* How the values [2 * C * F] differ from the definition of body [1, C, F, n_frames], NULL when they
 * do not. n_freq is 1 where there is no such axis. */
static const char *judge(const struct onnx_array *body, size_t n_freq, size_t n_frames,
                         const struct onnx_array *pooled)
{
    const size_t n_channels = body->dims[1], n_rows = n_channels * n_freq;
    if (pooled->n_dims < 2 || pooled->dims[0] != 1 || pooled->dims[1] != 2 * n_rows ||
        pooled->n_values != 2 * n_rows)
        return "do not have the shape [1, 2 * C * F]";
    bool good = true, swapped = true, turned = true, biased = true;
    for (size_t r = 0; r < n_rows; r++) {
        double mean, std, biased_std;
        row_statistics(body->data + r * n_frames, n_frames, &mean, &std, &biased_std);
        size_t turned_r = r % n_freq * n_channels + r / n_freq; /* row f * C + c */
        double first = pooled->data[r], second = pooled->data[n_rows + r];
        /* The last row is constant: what is added to the variance shows there. */
        bool is_std = r == n_rows - 1 ? second >= 0.0 && second <= sqrt(MAX_EPS)
                                      : onnx_probe_close(second, std);
        good &= onnx_probe_close(first, mean) && is_std;
        if (r == n_rows - 1)
            continue;
        swapped &= onnx_probe_close(second, mean) && onnx_probe_close(first, std);
        turned &= onnx_probe_close(pooled->data[turned_r], mean);
        biased &= onnx_probe_close(first, mean) && onnx_probe_close(second, biased_std);
    }
    if (good)
        return NULL;
    return biased    ? "have the biased variance (divided by T, not T - 1)"
           : swapped ? "have the standard deviations before the means"
           : turned  ? "are flattened as (F, C), not (C, F)"
                     : "are not mean and unbiased standard deviation over time";
}

static enum vp_status probe_frames(const struct onnx_graph *graph, size_t n_mels,
                                   const struct onnx_probe_body *shape, size_t body, size_t pooled,
                                   size_t n_frames, struct vp_err *err)
{
    struct pool pool = {0};
    size_t dims[4] = {1, shape->n_channels}, n_dims = 2;
    if (shape->n_freq != 0)
        dims[n_dims++] = shape->n_freq;
    dims[n_dims++] = n_frames;
    struct onnx_array given, result;
    enum vp_status status = onnx_probe_run(graph, n_mels, shape->rate * (n_frames - 1) + 1, body,
                                           dims, n_dims, pooled, &pool, &given, &result, err);
    const char *fault =
        status == VP_OK ? judge(&given, shape->n_freq != 0 ? shape->n_freq : 1, n_frames, &result)
                        : NULL;
    if (fault != NULL)
        status = status_fail(err, VP_ERR_MODEL, "ONNX: the statistics '%.80s' %s",
                             graph->values[pooled].name, fault);
    pool_free(&pool);
    return status;
}

enum vp_status onnx_probe_statistics(const struct onnx_graph *graph, size_t n_mels,
                                     const struct onnx_probe_body *shape, size_t body,
                                     size_t pooled, struct vp_err *err)
{
    /* Two lengths: a factor T / (T - 1) that was baked in for one of them shows at the other. */
    enum vp_status status = probe_frames(graph, n_mels, shape, body, pooled, 5, err);
    return status != VP_OK ? status : probe_frames(graph, n_mels, shape, body, pooled, 8, err);
}
