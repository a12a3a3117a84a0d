/* Places in one arena first, then the numbers. Widths were checked when the file was read. */
#include "segmentation/seg_packed.h"

#include <string.h>

static size_t norm_width(const struct seg_net *net, size_t i)
{
    return i == 0 ? net->n_filters : net->n_channels;
}

/* Floats of a row behind linear layer i - 1: both directions of the LSTM are padded each. */
static size_t linear_n_in(const struct seg_net *net, size_t i)
{
    return i == 0 ? 2 * SEG_PADDED(net->n_hidden) : SEG_PADDED(net->n_linear);
}

struct packing {
    struct seg_packed *to;
    const struct seg_net *from;
};

static void place_weights(void *ctx, struct arena *arena)
{
    const struct packing *packing = ctx;
    struct seg_packed *to = packing->to;
    const struct seg_net *from = packing->from;
    sinc_place(&to->sinc, from, arena);
    for (size_t i = 0; i < SEG_N_NORMS; i++) {
        to->gains[i] = arena_floats(arena, SEG_PADDED(norm_width(from, i)));
        to->offsets[i] = arena_floats(arena, SEG_PADDED(norm_width(from, i)));
    }
    for (size_t i = 0; i < SEG_N_CONVS; i++) {
        struct seg_packed_conv *conv = &to->convs[i];
        conv->n_in = SEG_PADDED(from->convs[i].n_in);
        conv->n_out = SEG_PADDED(from->convs[i].n_out);
        conv->weight = arena_rows(arena, SEG_KERNEL * conv->n_in, conv->n_out);
        conv->bias = arena_floats(arena, conv->n_out);
    }
    for (size_t i = 0; i < from->n_layers; i++)
        lstm_place(&to->lstm[i], from, i, arena);
    for (size_t i = 0; i < SEG_N_LINEARS; i++) {
        struct seg_packed_linear *linear = &to->linears[i];
        linear->n_in = linear_n_in(from, i);
        linear->n_out = SEG_PADDED(from->linears[i].n_out);
        linear->weight = arena_rows(arena, linear->n_in, linear->n_out);
        linear->bias = arena_floats(arena, linear->n_out);
    }
}

static void fill_norm(struct seg_packed *to, const struct seg_net *from, size_t i)
{
    const size_t n_bytes = norm_width(from, i) * sizeof(float);
    memcpy(to->gains[i], from->norms[i].weight, n_bytes);
    memcpy(to->offsets[i], from->norms[i].bias, n_bytes);
}

static void fill_conv(struct seg_packed_conv *to, const struct seg_linear *from)
{
    memcpy(to->bias, from->bias, from->n_out * sizeof(float));
    for (size_t o = 0; o < from->n_out; o++)
        for (size_t c = 0; c < from->n_in; c++)
            for (size_t k = 0; k < SEG_KERNEL; k++)
                to->weight[(k * to->n_in + c) * to->n_out + o] =
                    from->weight[(o * from->n_in + c) * SEG_KERNEL + k];
}

static void fill_linear(struct seg_packed_linear *to, const struct seg_net *net, size_t i)
{
    const struct seg_linear *from = &net->linears[i];
    memcpy(to->bias, from->bias, from->n_out * sizeof(float));
    for (size_t o = 0; o < from->n_out; o++)
        for (size_t c = 0; c < from->n_in; c++) {
            const bool second = i == 0 && c >= net->n_hidden; /* of the two directions */
            const size_t at = second ? c - net->n_hidden + SEG_PADDED(net->n_hidden) : c;
            to->weight[at * to->n_out + o] = from->weight[o * from->n_in + c];
        }
}

enum vp_status seg_packed_init(struct seg_packed *out, const struct seg_net *net,
                               enum vp_kernel kernel, struct vp_err *err)
{
    *out = (struct seg_packed){
        .kernel = seg_kernel_get(kernel),
        .n_filters = net->n_filters,
        .n_channels = net->n_channels,
        .n_hidden = net->n_hidden,
        .n_layers = net->n_layers,
        .n_linear = net->n_linear,
        .wav_weight = net->wav_weight,
        .wav_bias = net->wav_bias,
    };
    struct packing packing = {.to = out, .from = net};
    const enum vp_status status =
        arena_build(&out->arena, place_weights, &packing, "the segmentation network", err);
    if (status != VP_OK)
        return status;
    sinc_fill(&out->sinc, net);
    for (size_t i = 0; i < SEG_N_NORMS; i++)
        fill_norm(out, net, i);
    for (size_t i = 0; i < SEG_N_CONVS; i++)
        fill_conv(&out->convs[i], &net->convs[i]);
    for (size_t i = 0; i < net->n_layers; i++)
        lstm_fill(&out->lstm[i], net, i, out->kernel->lanes);
    for (size_t i = 0; i < SEG_N_LINEARS; i++)
        fill_linear(&out->linears[i], net, i);
    return VP_OK;
}

void seg_packed_clear(struct seg_packed *packed)
{
    arena_free(&packed->arena);
    *packed = (struct seg_packed){0};
}
