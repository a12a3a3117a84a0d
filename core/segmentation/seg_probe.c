/* Probes of a segmentation network's graph. */
#include "segmentation/seg_probe.h"

#include "loader/onnx/onnx_eval.h"
#include "loader/onnx/onnx_walk.h"
#include "segmentation/sinc.h"

#include <math.h>

enum { PROBE_TIME = 3, PROBE_WINDOWS = 2 };
#define SINC_TOLERANCE 1e-4 /* of the largest tap, 1: the graph's constants are float32 */
#define MOST_VECTORS   8u   /* constants of that shape: two, and a column of zeros */

/* Shape and strides of a probe: how far (t, w, d, c) lies from the front. */
struct layout {
    size_t n_dims, dims[4];
    size_t t, w, d, c;
};

static struct layout layout_of(enum seg_order order, size_t n_channels, size_t n_directions)
{
    const size_t T = PROBE_TIME, N = PROBE_WINDOWS, C = n_channels, D = n_directions;
    switch (order) {
    case SEG_ORDER_NCT:
        return (struct layout){3, {N, D * C, T, 1}, 1, D * C * T, C * T, T};
    case SEG_ORDER_TNC:
        return (struct layout){3, {T, N, D * C, 1}, N * D * C, D * C, C, 1};
    case SEG_ORDER_TDNC:
        return (struct layout){4, {T, D, N, C}, D * N * C, C, N * C, 1};
    case SEG_ORDER_NTC:
        break;
    }
    return (struct layout){3, {N, T, D * C, 1}, D * C, T * D * C, C, 1};
}

static enum vp_status probe_array(struct pool *pool, const struct layout *layout,
                                  struct onnx_array *out, struct vp_err *err)
{
    const enum vp_status status = onnx_array_new(pool, layout->dims, layout->n_dims, out);
    for (size_t i = 0; i < out->n_values && status == VP_OK; i++)
        out->data[i] = (double)i + 1;
    return status == VP_OK ? VP_OK : status_no_memory(err, "a probe of the graph", 0);
}

/* Is `to` what `from` holds, in the order of `out`? */
static bool same_values(const struct layout *in, const struct onnx_array *from,
                        const struct layout *out, const struct onnx_array *to, size_t n_channels,
                        size_t n_directions)
{
    bool same = to->n_dims == out->n_dims;
    for (size_t i = 0; i < out->n_dims && same; i++)
        same = to->dims[i] == out->dims[i];
    for (size_t t = 0; t < PROBE_TIME && same; t++)
        for (size_t w = 0; w < PROBE_WINDOWS; w++)
            for (size_t d = 0; d < n_directions; d++)
                for (size_t c = 0; c < n_channels; c++)
                    same = same && from->data[t * in->t + w * in->w + d * in->d + c * in->c] ==
                                       to->data[t * out->t + w * out->w + d * out->d + c * out->c];
    return same;
}

enum vp_status seg_probe_order(const struct onnx_graph *graph, size_t from, enum seg_order in,
                               size_t to, enum seg_order out, size_t n_channels, struct vp_err *err)
{
    const size_t n_directions = in == SEG_ORDER_TDNC ? 2 : 1;
    const struct layout before = layout_of(in, n_channels, n_directions);
    const struct layout after = layout_of(out, n_channels, n_directions);
    struct pool pool = {0};
    struct onnx_given given = {.value = from};
    struct onnx_array result;
    enum vp_status status = probe_array(&pool, &before, &given.array, err);
    if (status == VP_OK)
        status = onnx_eval(graph, &given, 1, to, &pool, &result, err);
    if (status == VP_OK &&
        !same_values(&before, &given.array, &after, &result, n_channels, n_directions))
        status = status_fail(err, VP_ERR_MODEL,
                             "ONNX: '%.80s' is not '%.80s' in the order that the next layer needs",
                             graph->values[to].name, graph->values[from].name);
    pool_free(&pool);
    return status;
}

enum vp_status seg_probe_zeros(const struct onnx_graph *graph, size_t value, size_t conv,
                               size_t n_channels, struct vp_err *err)
{
    const struct layout convs = layout_of(SEG_ORDER_NCT, n_channels, 1);
    const struct layout samples = {3, {PROBE_WINDOWS, 1, PROBE_TIME, 1}, 1, PROBE_TIME, 0, 0};
    struct pool pool = {0};
    struct onnx_given given[2] = {{.value = conv}, {.value = graph->input}};
    struct onnx_array result;
    enum vp_status status = probe_array(&pool, &convs, &given[0].array, err);
    if (status == VP_OK)
        status = probe_array(&pool, &samples, &given[1].array, err);
    if (status == VP_OK)
        status = onnx_eval(graph, given, 2, value, &pool, &result, err);
    for (size_t i = 0; status == VP_OK && i < result.n_values; i++)
        if (result.data[i] != 0)
            status = status_fail(err, VP_ERR_MODEL,
                                 "ONNX: the LSTM begins with '%.100s', which is not zero",
                                 graph->values[value].name);
    pool_free(&pool);
    return status;
}

/* ---- sinc filters ------------------------------------------------------------------------- */

/* Are filters [2 n, 1, 251] those of the two vectors? */
static bool sinc_matches(const struct onnx_array *filters, const float *low, const float *band,
                         size_t n)
{
    double even[SEG_TAPS], odd[SEG_TAPS];
    for (size_t f = 0; f < n; f++) {
        sinc_taps((double)low[f], (double)band[f], even, odd);
        const double *e = filters->data + f * SEG_TAPS, *o = e + n * SEG_TAPS;
        for (size_t k = 0; k < SEG_TAPS; k++)
            if (!(fabs(e[k] - even[k]) <= SINC_TOLERANCE && fabs(o[k] - odd[k]) <= SINC_TOLERANCE))
                return false;
    }
    return true;
}

/* Tries each pair of vectors that took part. */
static enum vp_status find_vectors(const struct onnx_graph *graph, const struct onnx_array *filters,
                                   struct pool *pool, const struct tensor **low_hz,
                                   const struct tensor **band_hz, struct vp_err *err)
{
    const size_t n = filters->dims[0] / 2;
    const struct tensor *vectors[MOST_VECTORS];
    float *values[MOST_VECTORS];
    size_t n_vectors = 0;
    for (size_t i = 0; i < graph->n_tensors && n_vectors < MOST_VECTORS; i++) {
        const struct tensor *tensor = &graph->tensors[i];
        if (!tensor->used || tensor->type != TENSOR_F32 || tensor->n_dims != 2 ||
            tensor->dims[0] != n || tensor->dims[1] != 1)
            continue;
        values[n_vectors] = pool_alloc(pool, n, sizeof(float));
        if (values[n_vectors] == NULL)
            return status_no_memory(err, "weights", n * sizeof(float));
        const enum vp_status status = tensor_read_floats(tensor, values[n_vectors], err);
        if (status != VP_OK)
            return status;
        vectors[n_vectors++] = tensor;
    }
    for (size_t i = 0; i < n_vectors; i++)
        for (size_t j = 0; j < n_vectors; j++)
            if (i != j && sinc_matches(filters, values[i], values[j], n)) {
                *low_hz = vectors[i];
                *band_hz = vectors[j];
                return VP_OK;
            }
    return status_fail(err, VP_ERR_MODEL,
                       "ONNX: the first convolution's filters are not built from two vectors of "
                       "frequencies, as sinc filters are; export the model unfolded");
}

enum vp_status seg_probe_sinc(const struct onnx_graph *graph, size_t value,
                              const struct tensor **low_hz, const struct tensor **band_hz,
                              struct vp_err *err)
{
    struct pool pool = {0};
    struct onnx_array filters;
    enum vp_status status = onnx_eval(graph, NULL, 0, value, &pool, &filters, err);
    if (status == VP_OK &&
        (filters.n_dims != 3 || filters.dims[0] % 2 != 0 || filters.dims[0] > SEG_MOST_WIDTH ||
         filters.dims[1] != 1 || filters.dims[2] != SEG_TAPS))
        status = status_fail(err, VP_ERR_MODEL,
                             "ONNX: the first convolution has no filters [2 n, 1, %d]", SEG_TAPS);
    if (status == VP_OK)
        status = find_vectors(graph, &filters, &pool, low_hz, band_hz, err);
    pool_free(&pool);
    return status;
}
