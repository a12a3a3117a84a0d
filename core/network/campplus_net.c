/* CAM++ as a model file states it: memory, and whether everything agrees. */
#include "network/campplus_net.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "network/net_weights.h"

#define NAME_CHARS 64 /* "block3.layer16.gate.down" */

size_t campplus_dilation(size_t block)
{
    return block == 0 ? 1 : 2;
}

enum vp_status net_conv1d_init(struct net_conv1d *conv, size_t n_out, size_t n_in, size_t n_taps,
                               struct vp_err *err)
{
    *conv = (struct net_conv1d){
        .n_in = n_in, .n_out = n_out, .n_taps = n_taps, .stride = 1, .dilation = 1};
    return net_weights_new((size_t[]){n_out, n_in, n_taps}, 3, &conv->weight, &conv->bias, err);
}

void net_conv1d_fold(struct net_conv1d *conv, const float *scale, const float *shift)
{
    const size_t n_row = conv->n_in * conv->n_taps;
    for (size_t k = 0; k < conv->n_out; k++) {
        for (size_t i = 0; i < n_row; i++)
            conv->weight[k * n_row + i] *= scale[k];
        conv->bias[k] = conv->bias[k] * scale[k] + shift[k];
    }
}

static size_t n_weights(const struct net_conv1d *conv)
{
    return conv->n_out * conv->n_in * conv->n_taps;
}

static size_t n_parameters(const struct net_conv1d *conv)
{
    return n_weights(conv) + conv->n_out + (conv->scale != NULL ? 2 * conv->n_in : 0);
}

size_t campplus_net_parameters(const struct campplus_net *campplus)
{
    size_t n = n_parameters(&campplus->tdnn);
    for (size_t b = 0; b < CAMPPLUS_N_BLOCKS; b++) {
        const struct campplus_block *block = &campplus->blocks[b];
        n += n_parameters(&block->transit);
        for (size_t i = 0; i < block->n_layers; i++) {
            const struct campplus_layer *layer = &block->layers[i];
            n += n_parameters(&layer->bottleneck) + n_parameters(&layer->local) +
                 n_parameters(&layer->down) + n_parameters(&layer->up);
        }
    }
    return n;
}

static bool all_finite(const float *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(values[i]))
            return false;
    return true;
}

/* n_out 0: the layer decides. */
static enum vp_status check_conv(const struct net_conv1d *conv, size_t n_in, size_t n_out,
                                 size_t n_taps, const char *name, struct vp_err *err)
{
    if (conv->weight == NULL || conv->bias == NULL)
        return status_fail(err, VP_ERR_MODEL, "'%s' has no weights", name);
    if (conv->n_in != n_in)
        return status_fail(err, VP_ERR_MODEL,
                           "'%s' takes %zu channels, but the layer before it gives %zu", name,
                           conv->n_in, n_in);
    if (conv->n_taps != n_taps)
        return status_fail(err, VP_ERR_MODEL, "'%s' has %zu taps where %zu are needed", name,
                           conv->n_taps, n_taps);
    if (conv->n_out == 0 || conv->n_out > NET_MAX_CHANNELS || (n_out != 0 && conv->n_out != n_out))
        return status_fail(err, VP_ERR_MODEL, "'%s' gives %zu channels", name, conv->n_out);
    if (!all_finite(conv->weight, n_weights(conv)) || !all_finite(conv->bias, conv->n_out) ||
        (conv->scale != NULL &&
         (!all_finite(conv->scale, conv->n_in) || !all_finite(conv->shift, conv->n_in))))
        return status_fail(err, VP_ERR_MODEL, "'%s' has NaN or infinity among its weights", name);
    return VP_OK;
}

static enum vp_status check_layer(const struct campplus_layer *layer, size_t n_in, size_t *n_growth,
                                  const char *name, struct vp_err *err)
{
    const struct net_conv1d *bottleneck = &layer->bottleneck, *local = &layer->local;
    const struct net_conv1d *down = &layer->down, *up = &layer->up;
    char part[NAME_CHARS];
    snprintf(part, sizeof part, "%.40s.linear1", name);
    enum vp_status status = check_conv(bottleneck, n_in, 0, 1, part, err);
    if (status == VP_OK && bottleneck->scale == NULL)
        status = status_fail(err, VP_ERR_MODEL, "'%s' has no BatchNorm before it", part);
    snprintf(part, sizeof part, "%.40s.linear_local", name);
    if (status == VP_OK)
        status = check_conv(local, bottleneck->n_out, *n_growth, CAMPPLUS_LOCAL_TAPS, part, err);
    snprintf(part, sizeof part, "%.40s.gate.linear1", name);
    if (status == VP_OK)
        status = check_conv(down, bottleneck->n_out, 0, 1, part, err);
    snprintf(part, sizeof part, "%.40s.gate.linear2", name);
    if (status == VP_OK)
        status = check_conv(up, down->n_out, local->n_out, 1, part, err);
    *n_growth = local->n_out;
    return status;
}

enum vp_status campplus_net_check(const struct campplus_net *campplus, size_t n_rows,
                                  size_t *n_channels, struct vp_err *err)
{
    enum vp_status status = check_conv(&campplus->tdnn, n_rows, 0, CAMPPLUS_TDNN_TAPS, "tdnn", err);
    *n_channels = campplus->tdnn.n_out;
    size_t n_growth = 0; /* of the first layer, then of all others */
    for (size_t b = 0; b < CAMPPLUS_N_BLOCKS && status == VP_OK; b++) {
        const struct campplus_block *block = &campplus->blocks[b];
        char name[NAME_CHARS];
        if (block->n_layers == 0)
            return status_fail(err, VP_ERR_MODEL, "'block%zu' has no layers", b + 1);
        for (size_t i = 0; i < block->n_layers && status == VP_OK; i++) {
            snprintf(name, sizeof name, "block%zu.layer%zu", b + 1, i + 1);
            status = check_layer(&block->layers[i], *n_channels, &n_growth, name, err);
            *n_channels += n_growth;
        }
        snprintf(name, sizeof name, "transit%zu", b + 1);
        if (status == VP_OK)
            status = check_conv(&block->transit, *n_channels, 0, 1, name, err);
        if (status == VP_OK && block->transit.scale == NULL)
            status = status_fail(err, VP_ERR_MODEL, "'%s' has no BatchNorm before it", name);
        *n_channels = block->transit.n_out;
    }
    return status;
}

static void free_conv(struct net_conv1d *conv)
{
    free(conv->weight);
    free(conv->bias);
    free(conv->scale);
    free(conv->shift);
}

void campplus_net_free(struct campplus_net *campplus)
{
    if (campplus == NULL)
        return;
    free_conv(&campplus->tdnn);
    for (size_t b = 0; b < CAMPPLUS_N_BLOCKS; b++) {
        struct campplus_block *block = &campplus->blocks[b];
        for (size_t i = 0; i < block->n_layers; i++) {
            free_conv(&block->layers[i].bottleneck);
            free_conv(&block->layers[i].local);
            free_conv(&block->layers[i].down);
            free_conv(&block->layers[i].up);
        }
        free(block->layers);
        free_conv(&block->transit);
    }
    free(campplus);
}
