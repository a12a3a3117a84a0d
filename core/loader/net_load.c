/* A model file -> struct net: which format it is, and whose digest. */
#include "digest.h"
#include "model_file.h"
#include "net.h"
#include "onnx_bind.h"
#include "safetensors.h"
#include "weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIN_BYTES      64 /* less than the smallest header of either format */
#define DEFAULT_N_MELS 80 /* of every WeSpeaker net; a file may say otherwise */

/* What people hand over by mistake, by its first bytes, and what to do about it. */
static const struct {
    const char *magic;
    const char *sentence;
} mistaken[] = {
    {"version https://git-lfs", "this is a git-lfs pointer, not the model; run `git lfs pull`"},
    {"<", "this is an HTML or XML page, not a model; the download went wrong, fetch it again"},
    {"PK\003\004", "this is a zip or PyTorch checkpoint; convert it to safetensors first"},
    {"\200\002", "this is a Python pickle; convert the checkpoint to safetensors first"},
    {"GGUF", "this is a GGUF file; only .onnx and .safetensors are read"},
    {"\037\213", "this is a gzip file; unpack it first"},
};

static enum vp_status check_magic(const unsigned char *bytes, size_t n_bytes, struct vp_err *err)
{
    if (n_bytes < MIN_BYTES)
        return status_fail(err, VP_ERR_MODEL, "a file of %zu bytes is no model; it is empty or cut",
                           n_bytes);
    for (size_t i = 0; i < sizeof mistaken / sizeof mistaken[0]; i++) {
        size_t n = strlen(mistaken[i].magic);
        if (n_bytes >= n && memcmp(bytes, mistaken[i].magic, n) == 0)
            return status_fail(err, VP_ERR_MODEL, "%s", mistaken[i].sentence);
    }
    return VP_OK;
}

static enum vp_status load_safetensors(const void *bytes, size_t n_bytes, struct net *net,
                                       struct metadata *metadata, struct vp_err *err)
{
    struct safetensors file;
    enum vp_status status = safetensors_open(bytes, n_bytes, &file, metadata, err);
    if (status == VP_OK) {
        net->n_mels = metadata->n_mels != 0 ? metadata->n_mels : DEFAULT_N_MELS;
        status = weights_bind(file.tensors, file.n_tensors, net, err);
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

/* A safetensors file has its JSON object at byte 8; no ONNX file has a brace there. */
static bool is_safetensors(const unsigned char *bytes, size_t n_bytes)
{
    return n_bytes > 8 && bytes[8] == '{';
}

enum vp_status net_load_bytes(const void *bytes, size_t n_bytes, struct net **out,
                              const char **format, struct vp_err *err)
{
    *out = NULL;
    enum vp_status status = check_magic(bytes, n_bytes, err);
    if (status != VP_OK)
        return status;
    struct metadata metadata = {0};
    struct net *net = calloc(1, sizeof *net);
    if (net == NULL)
        return status_no_memory(err, "the network", sizeof *net);
    if (is_safetensors(bytes, n_bytes)) {
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

enum vp_status net_load(const char *path, struct net **out, const char **format, char digest[72],
                        struct vp_err *err)
{
    *out = NULL;
    struct model_file file;
    enum vp_status status = model_file_read(path, &file, err);
    if (status == VP_OK)
        status = net_load_bytes(file.bytes, file.n_bytes, out, format, err);
    if (status == VP_OK) {
        char hex[DIGEST_HEX_CHARS];
        digest_sha256(file.bytes, file.n_bytes, hex);
        snprintf(digest, 72, "sha256:%s", hex);
    }
    model_file_free(&file);
    return status;
}
