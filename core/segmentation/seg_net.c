/* Arrays of the widths that a file states. */
#include "segmentation/seg_net.h"

#include <stdlib.h>

size_t seg_net_lstm_n_in(const struct seg_net *net, size_t i)
{
    return i == 0 ? net->n_channels : 2 * net->n_hidden;
}

static float *floats(struct seg_net *net, size_t n_rows, size_t n_columns)
{
    size_t n;
    return size_multiply(n_rows, n_columns, &n) ? pool_alloc(&net->pool, n, sizeof(float)) : NULL;
}

static bool alloc_linear(struct seg_net *net, struct seg_linear *linear, size_t n_in, size_t n_out,
                         size_t kernel)
{
    *linear = (struct seg_linear){.n_in = n_in, .n_out = n_out};
    linear->weight = floats(net, n_out, n_in * kernel);
    linear->bias = floats(net, n_out, 1);
    return linear->weight != NULL && linear->bias != NULL;
}

static bool alloc_lstm(struct seg_net *net, struct seg_lstm *lstm, size_t n_in)
{
    lstm->w_in = floats(net, 4 * net->n_hidden, n_in);
    lstm->w_back = floats(net, 4 * net->n_hidden, net->n_hidden);
    lstm->bias = floats(net, 4, net->n_hidden);
    return lstm->w_in != NULL && lstm->w_back != NULL && lstm->bias != NULL;
}

static enum vp_status check_widths(const struct seg_net *net, struct vp_err *err)
{
    const size_t widths[] = {net->n_filters, net->n_channels, net->n_hidden, net->n_linear};
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++)
        if (widths[i] == 0 || widths[i] > SEG_MOST_WIDTH)
            return status_fail(err, VP_ERR_MODEL, "a layer of the network is %zu wide", widths[i]);
    if (net->n_layers == 0 || net->n_layers > SEG_MOST_LAYERS)
        return status_fail(err, VP_ERR_MODEL, "the network has %zu LSTM layers; 1 to %d are read",
                           net->n_layers, SEG_MOST_LAYERS);
    if (net->n_filters % 2 != 0)
        return status_fail(err, VP_ERR_MODEL, "%zu sinc filters; they come in pairs",
                           net->n_filters);
    return VP_OK;
}

enum vp_status seg_net_alloc(struct seg_net *net, struct vp_err *err)
{
    const enum vp_status status = check_widths(net, err);
    if (status != VP_OK)
        return status;
    net->low_hz = floats(net, net->n_filters / 2, 1);
    net->band_hz = floats(net, net->n_filters / 2, 1);
    bool good = net->low_hz != NULL && net->band_hz != NULL;
    for (size_t i = 0; i < SEG_N_NORMS && good; i++) {
        const size_t n = i == 0 ? net->n_filters : net->n_channels;
        net->norms[i] = (struct seg_norm){floats(net, n, 1), floats(net, n, 1)};
        good = net->norms[i].weight != NULL && net->norms[i].bias != NULL;
    }
    for (size_t i = 0; i < SEG_N_CONVS && good; i++)
        good = alloc_linear(net, &net->convs[i], i == 0 ? net->n_filters : net->n_channels,
                            net->n_channels, SEG_KERNEL);
    for (size_t i = 0; i < net->n_layers && good; i++)
        good = alloc_lstm(net, &net->lstm[i][0], seg_net_lstm_n_in(net, i)) &&
               alloc_lstm(net, &net->lstm[i][1], seg_net_lstm_n_in(net, i));
    for (size_t i = 0; i < SEG_N_LINEARS && good; i++)
        good = alloc_linear(net, &net->linears[i], i == 0 ? 2 * net->n_hidden : net->n_linear,
                            i == SEG_N_LINEARS - 1 ? SEG_N_CLASSES : net->n_linear, 1);
    return good ? VP_OK : status_no_memory(err, "the segmentation network", net->n_hidden);
}

void seg_net_free(struct seg_net *net)
{
    if (net == NULL)
        return;
    pool_free(&net->pool);
    free(net->name);
    free(net->license);
    free(net->origin);
    free(net);
}
