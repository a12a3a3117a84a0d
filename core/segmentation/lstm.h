/*
 * One bidirectional LSTM layer over several windows at once.
 *
 *   i, f, o = sigmoid(W x_t + R h_t-1 + b)    g = tanh(the same)     per gate, order i f g o
 *   c_t = f c_t-1 + i g                       h_t = o tanh(c_t)
 *
 * Products with the input are made for many moments at a time, one matrix product each; the
 * recurrence runs moment by moment, all windows side by side. The backward direction walks from the
 * last moment to the first. Any thread; work has one owner.
 */
#ifndef VP_LSTM_H
#define VP_LSTM_H

#include "base/arena.h"
#include "segmentation/seg_kernel.h"
#include "segmentation/seg_net.h"

#define LSTM_BLOCK 32u /* moments of one matrix product */

/* One direction, packed: columns in the order unit block, gate, lane. */
struct lstm_direction {
    float *w_in;   /* [n_in padded, 4 n_units] */
    float *w_back; /* [n_units / lanes, n_units, 4, lanes] */
    float *bias;   /* [4 n_units] */
};

struct lstm_layer {
    size_t n_in;    /* floats of an input row that count */
    size_t n_units; /* n_hidden, padded */
    struct lstm_direction directions[2];
};

/* Takes the places of the weights of net's layer from an arena (see arena_build), and fills them
 * for a kernel of that many lanes. */
void lstm_place(struct lstm_layer *out, const struct seg_net *net, size_t layer,
                struct arena *arena);
void lstm_fill(struct lstm_layer *out, const struct seg_net *net, size_t layer, size_t lanes);

/* Workspace for n_windows, in floats: products, cells and a row of zeros. */
struct lstm_work {
    float *products; /* [LSTM_BLOCK n_windows, 4 n_units] */
    float *cells;    /* [n_windows, n_units] */
    float *zeros;    /* [n_units] */
};

/* in [n_frames, n_windows, n_in] -> out [n_frames, n_windows, 2 n_units]: forwards, backwards. */
void lstm_run(const struct lstm_layer *layer, const struct seg_kernel *kernel, const float *in,
              size_t n_frames, size_t n_windows, const struct lstm_work *work, float *out);

#endif
