/* The network's weights: the head, and all convolutions behind it, packed for one kernel. */
#include "network/campplus.h"

#include "base/array.h"
#include "network/campplus_ops.h"

#include <stdlib.h>
#include <string.h>

static size_t max_size(size_t a, size_t b)
{
    return a > b ? a : b;
}

/*
 * Where a sequence has its channels. Each group of channels that is written at once begins with a
 * whole vector: those a block is given, then those of each layer.
 */
struct places {
    const struct conv1d_kernel *kernel;
    size_t *list; /* owned, [n] */
    size_t n, capacity, end;
};

/* n more channels; false without memory. *first: the place of the first of them. */
static bool places_add(struct places *places, size_t n, size_t *first)
{
    size_t *list = array_room(places->list, &places->capacity, places->n + n, sizeof *list);
    if (list == NULL)
        return false;
    places->list = list;
    *first = places->end;
    for (size_t i = 0; i < n; i++)
        places->list[places->n++] = places->end + i;
    places->end += places->kernel->n_places(n);
    return true;
}

/* A frame of the head as it lies there, without its border: channel c * F + f of the definition. */
static bool places_of_frame(struct places *places, const struct frame_layout *frame)
{
    size_t first;
    if (!places_add(places, frame->n_channels * frame->n_freq, &first))
        return false;
    for (size_t c = 0; c < frame->n_channels; c++)
        for (size_t f = 0; f < frame->n_freq; f++)
            places->list[c * frame->n_freq + f] =
                (c / frame->lanes * frame->n_freq + f) * frame->lanes + c % frame->lanes;
    places->end = frame->n_blocks * frame->n_freq * frame->lanes;
    return true;
}

/* ---- run twice by arena_build: to count, then to place and pack
 * ----------------------------------
 */

struct builder {
    struct campplus *campplus;
    const struct net *net;
    struct arena *arena;
    bool fits; /* no size overflowed, and there was memory for the places */
};

static void add_conv(struct builder *builder, const struct net_conv1d *net,
                     const struct places *places, struct conv1d *out)
{
    const struct conv1d_kernel *kernel = builder->campplus->kernel;
    builder->fits = builder->fits && kernel->plan(net, places->end, out);
    if (!builder->fits)
        return;
    out->weights = arena_floats(builder->arena, out->n_weights);
    if (out->weights != NULL)
        kernel->pack(out, net, places->list);
}

static void add_linear(struct builder *builder, const float *weight, const float *bias,
                       size_t n_out, size_t n_in, struct linear *out)
{
    out->n_in = n_in;
    out->n_out = n_out;
    out->weight = arena_rows(builder->arena, n_out, n_in);
    out->bias = arena_floats(builder->arena, n_out);
    if (out->weight != NULL) {
        memcpy(out->weight, weight, n_in * n_out * sizeof *weight);
        memcpy(out->bias, bias, n_out * sizeof *bias);
    }
}

/* Without memory for the places fits becomes false. */
static void add_layer(struct builder *builder, const struct campplus_layer *net,
                      struct places *places, struct dense_layer *out)
{
    struct campplus *campplus = builder->campplus;
    struct places inner = {.kernel = campplus->kernel};
    size_t first;
    add_conv(builder, &net->bottleneck, places, &out->bottleneck);
    builder->fits = builder->fits && places_add(&inner, net->bottleneck.n_out, &first);
    add_conv(builder, &net->local, &inner, &out->local);
    free(inner.list);
    add_linear(builder, net->down.weight, net->down.bias, net->down.n_out, net->down.n_in,
               &out->down);
    add_linear(builder, net->up.weight, net->up.bias, net->up.n_out, net->up.n_in, &out->up);
    builder->fits = builder->fits && places_add(places, net->local.n_out, &out->out_place);
    campplus->most_bottleneck = max_size(campplus->most_bottleneck, net->bottleneck.n_out);
    campplus->most_growth = max_size(campplus->most_growth, net->local.n_out);
    campplus->most_hidden = max_size(campplus->most_hidden, net->down.n_out);
}

static void add_block(struct builder *builder, const struct campplus_block *net, size_t n_in,
                      struct dense_block *out)
{
    struct places places = {.kernel = builder->campplus->kernel};
    size_t first;
    builder->fits = builder->fits && places_add(&places, n_in, &first);
    for (size_t i = 0; i < net->n_layers && builder->fits; i++)
        add_layer(builder, &net->layers[i], &places, &out->layers[i]);
    add_conv(builder, &net->transit, &places, &out->transit);
    out->n_layers = net->n_layers;
    out->n_places = places.end;
    out->n_out = net->transit.n_out;
    builder->campplus->most_places = max_size(builder->campplus->most_places, places.end);
    free(places.list);
}

static void build(void *ctx, struct arena *arena)
{
    struct builder *builder = ctx;
    struct campplus *campplus = builder->campplus;
    const struct net *net = builder->net;
    builder->arena = arena;
    struct places places = {.kernel = campplus->kernel};
    builder->fits = places_of_frame(&places, resnet_frame_layout(campplus->head));
    add_conv(builder, &net->campplus->tdnn, &places, &campplus->tdnn);
    free(places.list);
    size_t n = net->campplus->tdnn.n_out;
    for (size_t b = 0; b < CAMPPLUS_N_BLOCKS; b++) {
        add_block(builder, &net->campplus->blocks[b], n, &campplus->blocks[b]);
        n = net->campplus->blocks[b].transit.n_out;
    }
    campplus->most_places = max_size(campplus->most_places, campplus->kernel->n_places(n));
    campplus->n_channels = n;
    add_linear(builder, net->fc_weight, net->fc_bias, net->dim, 2 * n, &campplus->last);
    for (size_t i = 0; campplus->last.bias != NULL && net->mean_vec != NULL && i < net->dim; i++)
        campplus->last.bias[i] -= net->mean_vec[i];
}

enum vp_status campplus_new(const struct net *net, enum vp_kernel kernel, struct campplus **out,
                            struct vp_err *err)
{
    *out = NULL;
    struct campplus *campplus = calloc(1, sizeof *campplus);
    if (campplus == NULL)
        return status_no_memory(err, "the network", sizeof *campplus);
    enum vp_status status = resnet_new(net, kernel, &campplus->head, err);
    campplus->kernel = conv1d_kernel_get(kernel); /* the head refuses a kernel that is not there */
    for (size_t b = 0; b < CAMPPLUS_N_BLOCKS && status == VP_OK; b++) {
        const size_t n = net->campplus->blocks[b].n_layers;
        campplus->blocks[b].layers = calloc(n, sizeof *campplus->blocks[b].layers);
        if (campplus->blocks[b].layers == NULL)
            status = status_no_memory(err, "the network", n);
    }
    struct builder builder = {.campplus = campplus, .net = net};
    if (status == VP_OK)
        status = arena_build(&campplus->weights, build, &builder, "the packed weights", err);
    if (status == VP_OK && !builder.fits)
        status = status_no_memory(err, "the packed weights", SIZE_MAX);
    if (status == VP_OK)
        *out = campplus;
    else
        campplus_free(campplus);
    return status;
}

void campplus_free(struct campplus *campplus)
{
    if (campplus == NULL)
        return;
    resnet_free(campplus->head);
    for (size_t b = 0; b < CAMPPLUS_N_BLOCKS; b++)
        free(campplus->blocks[b].layers);
    arena_free(&campplus->weights);
    free(campplus);
}

size_t campplus_bytes(const struct campplus *campplus)
{
    size_t n = sizeof *campplus + resnet_bytes(campplus->head) + campplus->weights.n_bytes;
    for (size_t b = 0; b < CAMPPLUS_N_BLOCKS; b++)
        n += campplus->blocks[b].n_layers * sizeof *campplus->blocks[b].layers;
    return n;
}
