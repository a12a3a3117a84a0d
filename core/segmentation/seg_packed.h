/*
 * The weights of a segmentation network, packed for one kernel. Immutable once made; any thread.
 */
#ifndef VP_SEG_PACKED_H
#define VP_SEG_PACKED_H

#include "segmentation/lstm.h"
#include "segmentation/seg_kernel.h"
#include "segmentation/sinc.h"

struct seg_packed_conv {
    size_t n_in, n_out; /* padded */
    float *weight;      /* [SEG_KERNEL, n_in, n_out] */
    float *bias;        /* [n_out] */
};

struct seg_packed_linear {
    size_t n_in, n_out; /* padded */
    float *weight;      /* [n_in, n_out] */
    float *bias;        /* [n_out] */
};

struct seg_packed {
    const struct seg_kernel *kernel;
    struct arena arena; /* of all weights */
    size_t n_filters, n_channels, n_hidden, n_layers, n_linear;
    float wav_weight, wav_bias;
    struct sinc sinc;
    float *gains[SEG_N_NORMS], *offsets[SEG_N_NORMS]; /* padded */
    struct seg_packed_conv convs[SEG_N_CONVS];
    struct lstm_layer lstm[SEG_MOST_LAYERS];
    struct seg_packed_linear linears[SEG_N_LINEARS];
};

/* Packs a loaded network, borrowed for the call, for a kernel (not AUTO). VP_ERR_NO_MEMORY; *out is
 * then empty. */
enum vp_status seg_packed_init(struct seg_packed *out, const struct seg_net *net,
                               enum vp_kernel kernel, struct vp_err *err) VP_MUST_CHECK;
void seg_packed_clear(struct seg_packed *packed); /* what is inside, not the struct */

#endif
