/* A model file -> struct seg_net: which format it is, and tensors by pyannote's names. */
#include "base/constants.h"
#include "loader/onnx/onnx.h"
#include "loader/safetensors.h"
#include "loader/tensor_set.h"
#include "loader/wrong_file.h"
#include "segmentation/seg_onnx.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum vp_status take_vector(const struct tensor_set *set, const char *prefix, size_t i,
                                  const char *suffix, size_t n, float *out)
{
    char name[96];
    snprintf(name, sizeof name, "%s.%zu.%s", prefix, i, suffix);
    return tensor_set_read(set, name, &n, 1, out);
}

/* ---- widths ------------------------------------------------------------------------------- */

/* Dimension i of the tensor of that name, 0 when it is not there. */
static size_t dim(const struct tensor_set *set, const char *name, size_t i)
{
    const struct tensor *tensor = tensor_set_find(set, name);
    return tensor != NULL && i < tensor->n_dims ? tensor->dims[i] : 0;
}

/* What is there decides widths and depth; that everything else agrees is checked as it is taken. */
static enum vp_status read_widths(const struct tensor_set *set, struct seg_net *net)
{
    static const char *const names[] = {
        "sincnet.conv1d.0.filterbank.low_hz_",
        "sincnet.conv1d.1.weight",
        "lstm.weight_hh_l0",
        "linear.0.weight",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (tensor_set_find(set, names[i]) == NULL)
            return status_fail(set->err, VP_ERR_MODEL,
                               "tensor '%s' is missing: this is no segmentation network", names[i]);
    net->n_filters = 2 * (dim(set, names[0], 0) % SEG_MOST_WIDTH);
    net->n_channels = dim(set, names[1], 0);
    net->n_hidden = dim(set, names[2], 1);
    net->n_linear = dim(set, names[3], 0);
    for (char name[64]; net->n_layers <= SEG_MOST_LAYERS; net->n_layers++) {
        snprintf(name, sizeof name, "lstm.weight_hh_l%zu", net->n_layers);
        if (tensor_set_find(set, name) == NULL)
            break;
    }
    return seg_net_alloc(net, set->err);
}

/* ---- layers ------------------------------------------------------------------------------- */

static enum vp_status take_sincnet(const struct tensor_set *set, struct seg_net *net)
{
    const size_t one = 1, pair[] = {net->n_filters / 2, 1};
    enum vp_status status =
        tensor_set_read(set, "sincnet.wav_norm1d.weight", &one, 1, &net->wav_weight);
    if (status == VP_OK)
        status = tensor_set_read(set, "sincnet.wav_norm1d.bias", &one, 1, &net->wav_bias);
    if (status == VP_OK)
        status = tensor_set_read(set, "sincnet.conv1d.0.filterbank.low_hz_", pair, 2, net->low_hz);
    if (status == VP_OK)
        status =
            tensor_set_read(set, "sincnet.conv1d.0.filterbank.band_hz_", pair, 2, net->band_hz);
    for (size_t i = 0; i < SEG_N_NORMS && status == VP_OK; i++) {
        const size_t n = i == 0 ? net->n_filters : net->n_channels;
        status = take_vector(set, "sincnet.norm1d", i, "weight", n, net->norms[i].weight);
        if (status == VP_OK)
            status = take_vector(set, "sincnet.norm1d", i, "bias", n, net->norms[i].bias);
    }
    for (size_t i = 0; i < SEG_N_CONVS && status == VP_OK; i++) {
        const struct seg_linear *conv = &net->convs[i];
        const size_t shape[] = {conv->n_out, conv->n_in, SEG_KERNEL};
        char name[96];
        snprintf(name, sizeof name, "sincnet.conv1d.%zu.weight", i + 1);
        status = tensor_set_read(set, name, shape, 3, conv->weight);
        if (status == VP_OK)
            status = take_vector(set, "sincnet.conv1d", i + 1, "bias", conv->n_out, conv->bias);
    }
    return status;
}

static enum vp_status take_lstm(const struct tensor_set *set, struct seg_net *net, size_t layer,
                                size_t direction)
{
    struct seg_lstm *lstm = &net->lstm[layer][direction];
    const size_t n_rows = 4 * net->n_hidden;
    const size_t in[] = {n_rows, seg_net_lstm_n_in(net, layer)}, back[] = {n_rows, net->n_hidden};
    const char *end = direction == 1 ? "_reverse" : "";
    char name[96];
    float *second = pool_alloc(&net->pool, n_rows, sizeof *second);
    if (second == NULL)
        return status_no_memory(set->err, "weights", n_rows * sizeof *second);
    snprintf(name, sizeof name, "lstm.weight_ih_l%zu%s", layer, end);
    enum vp_status status = tensor_set_read(set, name, in, 2, lstm->w_in);
    snprintf(name, sizeof name, "lstm.weight_hh_l%zu%s", layer, end);
    if (status == VP_OK)
        status = tensor_set_read(set, name, back, 2, lstm->w_back);
    snprintf(name, sizeof name, "lstm.bias_ih_l%zu%s", layer, end);
    if (status == VP_OK)
        status = tensor_set_read(set, name, &n_rows, 1, lstm->bias);
    snprintf(name, sizeof name, "lstm.bias_hh_l%zu%s", layer, end);
    if (status == VP_OK)
        status = tensor_set_read(set, name, &n_rows, 1, second);
    for (size_t i = 0; i < n_rows && status == VP_OK; i++)
        lstm->bias[i] += second[i];
    return status;
}

static enum vp_status take_linear(const struct tensor_set *set, const char *name,
                                  struct seg_linear *linear)
{
    const size_t shape[] = {linear->n_out, linear->n_in};
    char full[96];
    snprintf(full, sizeof full, "%s.weight", name);
    enum vp_status status = tensor_set_read(set, full, shape, 2, linear->weight);
    snprintf(full, sizeof full, "%s.bias", name);
    return status != VP_OK ? status : tensor_set_read(set, full, shape, 1, linear->bias);
}

static enum vp_status bind_names(struct tensor *tensors, size_t n_tensors, struct seg_net *net,
                                 struct vp_err *err)
{
    const struct tensor_set set = {tensors, n_tensors, err};
    enum vp_status status = read_widths(&set, net);
    if (status == VP_OK)
        status = take_sincnet(&set, net);
    for (size_t i = 0; i < 2 * net->n_layers && status == VP_OK; i++)
        status = take_lstm(&set, net, i / 2, i % 2);
    static const char *const linears[SEG_N_LINEARS] = {"linear.0", "linear.1", "classifier"};
    for (size_t i = 0; i < SEG_N_LINEARS && status == VP_OK; i++)
        status = take_linear(&set, linears[i], &net->linears[i]);
    for (size_t i = 0; i < n_tensors && status == VP_OK; i++)
        if (!tensors[i].used)
            status = status_fail(err, VP_ERR_MODEL, "tensor '%.100s' has no place in the network",
                                 tensors[i].name);
    return status;
}

/* ---- files -------------------------------------------------------------------------------- */

/* The file's own statement of what it is for, where it makes one. */
static enum vp_status check_metadata(const struct metadata *metadata, struct vp_err *err)
{
    const struct {
        const char *key;
        size_t found, needed;
    } facts[] = {
        {"num_speakers", metadata->segmentation.num_speakers, SEG_N_SPEAKERS},
        {"powerset_max_classes", metadata->segmentation.powerset_max_classes, 2},
        {"num_classes", metadata->segmentation.num_classes, SEG_N_CLASSES},
        {"sample_rate", metadata->segmentation.sample_rate, SAMPLE_RATE_HZ},
        {"window_size", metadata->segmentation.window_size, 160000},
    };
    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++)
        if (facts[i].found != 0 && facts[i].found != facts[i].needed)
            return status_fail(err, VP_ERR_MODEL, "metadata '%s' is %zu; only %zu is computed here",
                               facts[i].key, facts[i].found, facts[i].needed);
    return VP_OK;
}

static enum vp_status load_safetensors(const void *bytes, size_t n_bytes, struct seg_net *net,
                                       struct metadata *metadata, struct vp_err *err)
{
    struct safetensors file;
    enum vp_status status = safetensors_open(bytes, n_bytes, &file, metadata, err);
    if (status == VP_OK)
        status = bind_names(file.tensors, file.n_tensors, net, err);
    safetensors_close(&file);
    return status;
}

static enum vp_status load_onnx(const void *bytes, size_t n_bytes, struct seg_net *net,
                                struct metadata *metadata, struct vp_err *err)
{
    struct onnx_graph graph;
    enum vp_status status = onnx_open(bytes, n_bytes, &graph, metadata, err);
    if (status == VP_OK)
        status = seg_onnx_bind(&graph, net, err);
    onnx_close(&graph);
    return status;
}

enum vp_status seg_net_load(const void *bytes, size_t n_bytes, struct seg_net **out,
                            const char **format, struct vp_err *err)
{
    *out = NULL;
    enum vp_status status = mistaken_check(bytes, n_bytes, err);
    if (status != VP_OK)
        return status;
    struct metadata metadata = {0};
    struct seg_net *net = calloc(1, sizeof *net);
    if (net == NULL)
        return status_no_memory(err, "the segmentation network", sizeof *net);
    const bool is_safetensors = mistaken_is_safetensors(bytes, n_bytes);
    *format = is_safetensors ? "safetensors" : "onnx";
    status = is_safetensors ? load_safetensors(bytes, n_bytes, net, &metadata, err)
                            : load_onnx(bytes, n_bytes, net, &metadata, err);
    if (status == VP_OK)
        status = check_metadata(&metadata, err);
    net->name = metadata.name;
    net->license = metadata.license;
    net->origin = metadata.origin;
    net->untrained = metadata.untrained;
    metadata.name = metadata.license = metadata.origin = NULL;
    metadata_clear(&metadata);
    if (status == VP_OK)
        *out = net;
    else
        seg_net_free(net);
    return status;
}
