/* Packing and running of one bidirectional layer. */
#include "segmentation/lstm.h"

#include <cblas.h>
#include <string.h>

/* Floats of an input row of layer i: a padded row of channels, or both directions of the layer
 * before, each padded. */
static size_t n_in_padded(const struct seg_net *net, size_t layer)
{
    return layer == 0 ? SEG_PADDED(net->n_channels) : 2 * SEG_PADDED(net->n_hidden);
}

/* Where input k of the file's row lies in ours. */
static size_t padded_input(const struct seg_net *net, size_t layer, size_t k)
{
    return layer == 0 || k < net->n_hidden ? k : k - net->n_hidden + SEG_PADDED(net->n_hidden);
}

static void pack(struct lstm_direction *out, const struct seg_lstm *from, const struct seg_net *net,
                 size_t layer, size_t lanes)
{
    const size_t n_units = SEG_PADDED(net->n_hidden), n_hidden = net->n_hidden;
    const size_t n_in = seg_net_lstm_n_in(net, layer);
    for (size_t gate = 0; gate < 4; gate++)
        for (size_t u = 0; u < n_hidden; u++) {
            const size_t row = gate * n_hidden + u, block = u / lanes;
            const size_t column = (block * 4 + gate) * lanes + u % lanes;
            out->bias[column] = from->bias[row];
            for (size_t k = 0; k < n_in; k++)
                out->w_in[padded_input(net, layer, k) * 4 * n_units + column] =
                    from->w_in[row * n_in + k];
            for (size_t k = 0; k < n_hidden; k++)
                out->w_back[(block * n_units + k) * 4 * lanes + gate * lanes + u % lanes] =
                    from->w_back[row * n_hidden + k];
        }
}

void lstm_place(struct lstm_layer *out, const struct seg_net *net, size_t layer,
                struct arena *arena)
{
    out->n_in = n_in_padded(net, layer);
    out->n_units = SEG_PADDED(net->n_hidden);
    for (size_t d = 0; d < 2; d++) {
        struct lstm_direction *to = &out->directions[d];
        to->w_in = arena_rows(arena, out->n_in, 4 * out->n_units);
        to->w_back = arena_rows(arena, out->n_units, 4 * out->n_units);
        to->bias = arena_floats(arena, 4 * out->n_units);
    }
}

void lstm_fill(struct lstm_layer *out, const struct seg_net *net, size_t layer, size_t lanes)
{
    for (size_t d = 0; d < 2; d++)
        pack(&out->directions[d], &net->lstm[layer][d], net, layer, lanes);
}

void lstm_run(const struct lstm_layer *layer, const struct seg_kernel *kernel, const float *in,
              size_t n_frames, size_t n_windows, const struct lstm_work *work, float *out)
{
    const size_t n_units = layer->n_units, in_row = layer->n_in, out_row = 2 * n_units;
    for (size_t d = 0; d < 2; d++) {
        const struct lstm_direction *direction = &layer->directions[d];
        const float *before = work->zeros;
        size_t before_row = 0;
        memset(work->cells, 0, n_windows * n_units * sizeof *work->cells);
        for (size_t done = 0; done < n_frames; done += LSTM_BLOCK) {
            const size_t left = n_frames - done, n = left < LSTM_BLOCK ? left : LSTM_BLOCK;
            const size_t first = d == 0 ? done : left - n;
            cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)(n * n_windows),
                        (int)(4 * n_units), (int)in_row, 1.0F, in + first * n_windows * in_row,
                        (int)in_row, direction->w_in, (int)(4 * n_units), 0.0F, work->products,
                        (int)(4 * n_units));
            for (size_t i = 0; i < n; i++) {
                const size_t at = d == 0 ? i : n - 1 - i; /* in the block */
                float *after = out + (first + at) * n_windows * out_row + d * n_units;
                const struct lstm_step step = {.n_rows = n_windows,
                                               .n_units = n_units,
                                               .in = work->products + at * n_windows * 4 * n_units,
                                               .bias = direction->bias,
                                               .back = direction->w_back,
                                               .before = before,
                                               .before_row = before_row,
                                               .cells = work->cells,
                                               .after = after,
                                               .after_row = out_row};
                kernel->lstm(&step);
                before = after;
                before_row = out_row;
            }
        }
    }
}
