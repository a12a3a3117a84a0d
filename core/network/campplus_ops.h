/*
 * The packed network as its halves see it: campplus.c makes it, campplus_state.c has the workspace
 * and campplus_clip.c runs it.
 *
 * A block keeps all its channels in one sequence: a dense layer reads what is there and writes its
 * own behind it, so nothing is copied. The transit reads them all and writes the other sequence,
 * which is the next block's.
 */
#ifndef VP_CAMPPLUS_OPS_H
#define VP_CAMPPLUS_OPS_H

#include "base/arena.h"
#include "network/conv1d.h"
#include "network/resnet.h"

/* [n_out, n_in], for a single vector. */
struct linear {
    size_t n_in, n_out;
    float *weight, *bias; /* in the network's arena */
};

struct dense_layer {
    struct conv1d bottleneck, local;
    struct linear down, up; /* of the gate */
    size_t out_place;       /* of its channels in the block's sequence */
};

struct dense_block {
    size_t n_layers, n_places;  /* of the sequence */
    struct dense_layer *layers; /* owned */
    struct conv1d transit;
    size_t n_out; /* channels behind the transit */
};

struct campplus {
    const struct conv1d_kernel *kernel;
    struct resnet *head; /* owned */
    struct conv1d tdnn;
    struct dense_block blocks[CAMPPLUS_N_BLOCKS];
    size_t most_places, most_bottleneck, most_growth, most_hidden; /* of any block or layer */
    size_t n_channels;                                             /* of the last frames */
    struct linear last; /* statistics [2 n_channels] -> embedding, mean_vec subtracted */
    struct arena weights;
};

#endif
