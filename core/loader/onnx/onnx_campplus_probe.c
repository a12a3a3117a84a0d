/* Gates, rows and the end, by what they compute. */
#include "loader/onnx/onnx_campplus_probe.h"

#include "loader/onnx/onnx_eval.h"
#include "loader/onnx/onnx_probe.h"
#include "loader/onnx/onnx_walk.h"

/* Frames of a gate: two segments and a third that is short; less than one. */
static const size_t gate_frames[] = {2 * CAMPPLUS_SEGMENT_FRAMES + 3, 7};

/* Is row [n] mean of it plus mean of each frame's segment? */
static bool is_context(const double *row, const double *context, size_t n)
{
    double sum = 0.0;
    for (size_t t = 0; t < n; t++)
        sum += row[t];
    for (size_t from = 0; from < n; from += CAMPPLUS_SEGMENT_FRAMES) {
        const size_t rest = n - from;
        const size_t n_segment = rest < CAMPPLUS_SEGMENT_FRAMES ? rest : CAMPPLUS_SEGMENT_FRAMES;
        double part = 0.0;
        for (size_t t = 0; t < n_segment; t++)
            part += row[from + t];
        const double wanted = sum / (double)n + part / (double)n_segment;
        for (size_t t = 0; t < n_segment; t++)
            if (!onnx_probe_close(context[from + t], wanted))
                return false;
    }
    return true;
}

static enum vp_status probe_gate(const struct onnx_graph *graph, size_t n_mels, size_t n_channels,
                                 size_t n_frames, size_t y, size_t context, struct vp_err *err)
{
    struct pool pool = {0};
    const size_t dims[] = {1, n_channels, n_frames};
    struct onnx_array given, result;
    enum vp_status status = onnx_probe_run(graph, n_mels, 2 * n_frames - 1, y, dims, 3, context,
                                           &pool, &given, &result, err);
    bool same = status == VP_OK && result.n_dims == 3 && result.n_values == given.n_values &&
                result.dims[1] == n_channels;
    for (size_t c = 0; c < n_channels && same; c++)
        same = is_context(given.data + c * n_frames, result.data + c * n_frames, n_frames);
    if (status == VP_OK && !same)
        status = status_fail(err, VP_ERR_MODEL,
                             "ONNX: the gate's context '%.80s' is not the mean over the clip plus "
                             "the mean over segments of %u frames",
                             graph->values[context].name, CAMPPLUS_SEGMENT_FRAMES);
    pool_free(&pool);
    return status;
}

enum vp_status onnx_campplus_probe_gate(const struct onnx_graph *graph, size_t n_mels,
                                        size_t n_channels, size_t y, size_t context,
                                        struct vp_err *err)
{
    enum vp_status status = VP_OK;
    for (size_t i = 0; i < sizeof gate_frames / sizeof gate_frames[0] && status == VP_OK; i++)
        status = probe_gate(graph, n_mels, n_channels, gate_frames[i], y, context, err);
    return status;
}

/* Does target have the values of what is given, in that order, and the dims out [n_out]? */
static enum vp_status probe_order(const struct onnx_graph *graph, size_t n_mels, size_t n_frames,
                                  size_t value, const size_t *dims, size_t n_dims, size_t target,
                                  size_t n_second, struct vp_err *err)
{
    struct pool pool = {0};
    struct onnx_array given, result;
    enum vp_status status = onnx_probe_run(graph, n_mels, n_frames, value, dims, n_dims, target,
                                           &pool, &given, &result, err);
    bool same = status == VP_OK && result.n_dims >= 2 && result.n_values == given.n_values &&
                result.dims[0] == 1 && result.dims[1] == n_second;
    for (size_t i = 0; same && i < given.n_values; i++)
        same = onnx_probe_close(result.data[i], given.data[i]);
    if (status == VP_OK && !same)
        status =
            status_fail(err, VP_ERR_MODEL, "ONNX: '%.80s' has not the values of '%.80s' in order",
                        graph->values[target].name, graph->values[value].name);
    pool_free(&pool);
    return status;
}

enum vp_status onnx_campplus_probe_rows(const struct onnx_graph *graph, const struct net *net,
                                        size_t head, size_t rows, struct vp_err *err)
{
    const size_t n_frames = 11;
    const size_t dims[] = {1, net->stages[2].blocks[0].convs[0].n_out, net_head_n_freq(net, 2),
                           n_frames};
    return probe_order(graph, net->n_mels, n_frames, head, dims, 4, rows, dims[1] * dims[2], err);
}

bool onnx_campplus_probe_reshapes(const struct onnx_node *node)
{
    return (onnx_walk_is(node, "Squeeze") || onnx_walk_is(node, "Reshape") ||
            onnx_walk_is(node, "Flatten")) &&
           node->n_inputs > 0;
}

enum vp_status onnx_campplus_probe_flat(const struct onnx_graph *graph, size_t dim, size_t given,
                                        size_t flat, struct vp_err *err)
{
    const size_t dims[] = {1, dim, 1};
    return probe_order(graph, 1, 1, given, dims, 3, flat, dim, err);
}
