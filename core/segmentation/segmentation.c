/* An opened segmentation network: the file's facts and the packed weights. */
#include "segmentation/segmentation.h"

#include "base/text.h"
#include "loader/digest.h"
#include "loader/model_file.h"

#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t segmentation_n_frames(size_t n_samples)
{
    size_t n = n_samples < SEG_MIN_SAMPLES ? 0 : (n_samples - SEG_TAPS) / SEG_STRIDE + 1;
    for (size_t i = 0; i <= SEG_N_CONVS && n > 0; i++)
        n = (i == 0 ? n : n - SEG_KERNEL + 1) / SEG_POOL;
    return n;
}

/* ---- packing ------------------------------------------------------------------------------ */

static bool add_floats(size_t n_floats, size_t *n_bytes)
{
    size_t bytes;
    return arena_floats_size(n_floats, &bytes) && size_add(*n_bytes, bytes, n_bytes);
}

/* Floats of a row behind linear layer i - 1: both directions of the LSTM are padded each. */
static size_t linear_n_in(const struct seg_net *net, size_t i)
{
    return i == 0 ? 2 * SEG_PADDED(net->n_hidden) : SEG_PADDED(net->n_linear);
}

/* Widths are checked: no product overflows. */
static bool count_bytes(const struct seg_net *net, size_t *n_bytes)
{
    bool fits = sinc_bytes(net, n_bytes);
    for (size_t i = 0; i < SEG_N_NORMS; i++)
        fits = fits && add_floats(SEG_PADDED(i == 0 ? net->n_filters : net->n_channels), n_bytes) &&
               add_floats(SEG_PADDED(i == 0 ? net->n_filters : net->n_channels), n_bytes);
    for (size_t i = 0; i < SEG_N_CONVS; i++) {
        const size_t n_in = SEG_PADDED(net->convs[i].n_in), n_out = SEG_PADDED(net->n_channels);
        fits = fits && add_floats(SEG_KERNEL * n_in * n_out, n_bytes) && add_floats(n_out, n_bytes);
    }
    for (size_t i = 0; i < net->n_layers; i++) {
        size_t bytes;
        fits = fits && lstm_bytes(net, i, &bytes) && size_add(*n_bytes, bytes, n_bytes);
    }
    for (size_t i = 0; i < SEG_N_LINEARS; i++) {
        const size_t n_out = SEG_PADDED(net->linears[i].n_out);
        fits =
            fits && add_floats(linear_n_in(net, i) * n_out, n_bytes) && add_floats(n_out, n_bytes);
    }
    return fits;
}

static void pack_norm(vp_segmentation *s, const struct seg_net *net, size_t i)
{
    const size_t n = i == 0 ? net->n_filters : net->n_channels;
    s->gains[i] = arena_floats(&s->arena, SEG_PADDED(n));
    s->offsets[i] = arena_floats(&s->arena, SEG_PADDED(n));
    memcpy(s->gains[i], net->norms[i].weight, n * sizeof(float));
    memcpy(s->offsets[i], net->norms[i].bias, n * sizeof(float));
}

static void pack_conv(vp_segmentation *s, const struct seg_linear *from, struct seg_packed_conv *to)
{
    to->n_in = SEG_PADDED(from->n_in);
    to->n_out = SEG_PADDED(from->n_out);
    to->weight = arena_floats(&s->arena, SEG_KERNEL * to->n_in * to->n_out);
    to->bias = arena_floats(&s->arena, to->n_out);
    memcpy(to->bias, from->bias, from->n_out * sizeof(float));
    for (size_t o = 0; o < from->n_out; o++)
        for (size_t c = 0; c < from->n_in; c++)
            for (size_t k = 0; k < SEG_KERNEL; k++)
                to->weight[(k * to->n_in + c) * to->n_out + o] =
                    from->weight[(o * from->n_in + c) * SEG_KERNEL + k];
}

static void pack_linear(vp_segmentation *s, const struct seg_net *net, size_t i)
{
    const struct seg_linear *from = &net->linears[i];
    struct seg_packed_linear *to = &s->linears[i];
    to->n_in = linear_n_in(net, i);
    to->n_out = SEG_PADDED(from->n_out);
    to->weight = arena_floats(&s->arena, to->n_in * to->n_out);
    to->bias = arena_floats(&s->arena, to->n_out);
    memcpy(to->bias, from->bias, from->n_out * sizeof(float));
    for (size_t o = 0; o < from->n_out; o++)
        for (size_t c = 0; c < from->n_in; c++) {
            const bool second = i == 0 && c >= net->n_hidden; /* of the two directions */
            const size_t at = second ? c - net->n_hidden + SEG_PADDED(net->n_hidden) : c;
            to->weight[at * to->n_out + o] = from->weight[o * from->n_in + c];
        }
}

enum vp_status segmentation_new(const struct seg_net *net, enum vp_kernel kernel,
                                vp_segmentation **out, struct vp_err *err)
{
    *out = NULL;
    size_t n_bytes = 0;
    vp_segmentation *s = calloc(1, sizeof *s);
    if (s == NULL || !count_bytes(net, &n_bytes)) {
        free(s);
        return status_no_memory(err, "the segmentation network", n_bytes);
    }
    const enum vp_status status = arena_init(&s->arena, n_bytes, "the segmentation network", err);
    if (status != VP_OK) {
        free(s);
        return status;
    }
    s->kernel = seg_kernel_get(kernel);
    s->n_filters = net->n_filters;
    s->n_channels = net->n_channels;
    s->n_hidden = net->n_hidden;
    s->n_layers = net->n_layers;
    s->n_linear = net->n_linear;
    s->wav_weight = net->wav_weight;
    s->wav_bias = net->wav_bias;
    sinc_init(&s->sinc, net, &s->arena);
    for (size_t i = 0; i < SEG_N_NORMS; i++)
        pack_norm(s, net, i);
    for (size_t i = 0; i < SEG_N_CONVS; i++)
        pack_conv(s, &net->convs[i], &s->convs[i]);
    for (size_t i = 0; i < net->n_layers; i++)
        lstm_init(&s->lstm[i], net, i, s->kernel->lanes, &s->arena);
    for (size_t i = 0; i < SEG_N_LINEARS; i++)
        pack_linear(s, net, i);
    s->info.weights_bytes = n_bytes;
    s->info.untrained = net->untrained;
    *out = s;
    return VP_OK;
}

/* ---- public ------------------------------------------------------------------------------- */

static enum vp_kernel fastest_kernel(void)
{
    return vp_kernel_available(VP_KERNEL_AVX512) ? VP_KERNEL_AVX512
           : vp_kernel_available(VP_KERNEL_AVX2) ? VP_KERNEL_AVX2
                                                 : VP_KERNEL_BLAS;
}

/* The name in the metadata, else the file's own; a file name that cannot be shown is not. */
static enum vp_status set_name(vp_segmentation *s, const char *name, const char *path,
                               struct vp_err *err)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash != NULL ? slash + 1 : path;
    s->name = strdup(name != NULL ? name : text_is_printable(base, 100u) ? base : "unnamed");
    s->info.name = s->name;
    return s->name != NULL ? VP_OK : status_no_memory(err, "the model's name", strlen(path));
}

enum vp_status vp_segmentation_open(const char *path, vp_segmentation **out, struct vp_err *err)
{
    *out = NULL;
    openblas_set_num_threads(1); /* as vp_model_open: parallelism is over recordings */
    struct model_file file = {0};
    struct seg_net *net = NULL;
    vp_segmentation *s = NULL;
    const char *format = NULL;
    enum vp_status status = model_file_read(path, &file, err);
    if (status == VP_OK)
        status = seg_net_load(file.bytes, file.n_bytes, &net, &format, err);
    if (status == VP_OK)
        status = segmentation_new(net, fastest_kernel(), &s, err);
    if (status == VP_OK)
        status = set_name(s, net->name, path, err);
    if (status == VP_OK) {
        char hex[DIGEST_HEX_CHARS];
        digest_sha256(file.bytes, file.n_bytes, hex);
        snprintf(s->info.digest, sizeof s->info.digest, "sha256:%s", hex);
        s->info.format = format;
        *out = s;
    } else {
        vp_segmentation_free(s);
    }
    seg_net_free(net);
    model_file_free(&file);
    return status;
}

void vp_segmentation_free(vp_segmentation *segmentation)
{
    if (segmentation == NULL)
        return;
    arena_free(&segmentation->arena);
    free(segmentation->name);
    free(segmentation);
}

const struct vp_segmentation_info *vp_segmentation_info(const vp_segmentation *segmentation)
{
    return &segmentation->info;
}

enum vp_status vp_segmentation_run(const vp_segmentation *segmentation, const float *samples,
                                   float *log_probs, struct vp_err *err)
{
    struct seg_state *state;
    enum vp_status status =
        seg_state_new(segmentation, 1, SEG_WINDOW_SAMPLES, SEG_STRIDE, &state, err);
    if (status == VP_OK)
        status = segmentation_run(state, samples, SEG_WINDOW_SAMPLES, SEG_STRIDE, 1, NULL, NULL,
                                  log_probs, err);
    seg_state_free(state);
    return status;
}
