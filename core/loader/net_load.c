/* Which format a model file has, and its digest. */
#include "loader/net_load.h"

#include "loader/campplus_weights.h"
#include "loader/model_file.h"
#include "loader/onnx/onnx.h"
#include "loader/onnx/onnx_bind.h"
#include "loader/safetensors.h"
#include "loader/weights.h"
#include "loader/wrong_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_N_MELS 80 /* of every WeSpeaker net; a file may say otherwise */

static enum vp_status load_safetensors(const void *bytes, size_t n_bytes, struct net *net,
                                       struct metadata *metadata, struct vp_err *err)
{
    struct safetensors file;
    enum vp_status status = safetensors_open(bytes, n_bytes, &file, metadata, err);
    if (status == VP_OK) {
        net->n_mels = metadata->n_mels != 0 ? metadata->n_mels : DEFAULT_N_MELS;
        status = campplus_weights_are(file.tensors, file.n_tensors)
                     ? campplus_weights_bind(file.tensors, file.n_tensors, net, err)
                     : weights_bind(file.tensors, file.n_tensors, net, err);
    }
    safetensors_close(&file);
    return status;
}

/* Mel bins: of the declared input [batch, frames, mels], else of the metadata, else the usual. */
static size_t onnx_n_mels(const struct onnx_graph *graph, const struct metadata *metadata)
{
    int64_t declared = graph->n_input_dims == 3 ? graph->input_dims[2] : -1;
    return declared > 0            ? (size_t)declared
           : metadata->n_mels != 0 ? metadata->n_mels
                                   : DEFAULT_N_MELS;
}

static enum vp_status load_onnx(const void *bytes, size_t n_bytes, struct net *net,
                                struct metadata *metadata, struct vp_err *err)
{
    struct onnx_graph graph;
    enum vp_status status = onnx_open(bytes, n_bytes, &graph, metadata, err);
    if (status == VP_OK) {
        net->n_mels = onnx_n_mels(&graph, metadata);
        status = onnx_bind(&graph, net, err);
    }
    onnx_close(&graph);
    return status;
}

enum vp_status net_load_bytes(const void *bytes, size_t n_bytes, struct net **out,
                              const char **format, struct vp_err *err)
{
    *out = NULL;
    enum vp_status status = mistaken_check(bytes, n_bytes, err);
    if (status != VP_OK)
        return status;
    struct metadata metadata = {0};
    struct net *net = calloc(1, sizeof *net);
    if (net == NULL)
        return status_no_memory(err, "the network", sizeof *net);
    if (mistaken_is_safetensors(bytes, n_bytes)) {
        *format = "safetensors";
        status = load_safetensors(bytes, n_bytes, net, &metadata, err);
    } else {
        *format = "onnx";
        status = load_onnx(bytes, n_bytes, net, &metadata, err);
    }
    if (status == VP_OK)
        status = metadata_move(&metadata, net, err);
    if (status == VP_OK)
        status = net_check(net, err);
    metadata_clear(&metadata);
    if (status == VP_OK)
        *out = net;
    else
        net_free(net);
    return status;
}

enum vp_status net_load(const char *path, struct net **out, const char **format,
                        char digest[DIGEST_TEXT_CHARS], struct vp_err *err)
{
    *out = NULL;
    struct model_file file;
    enum vp_status status = model_file_read(path, &file, err);
    if (status == VP_OK)
        status = net_load_bytes(file.bytes, file.n_bytes, out, format, err);
    if (status == VP_OK)
        digest_of_file(file.bytes, file.n_bytes, digest);
    model_file_free(&file);
    return status;
}
