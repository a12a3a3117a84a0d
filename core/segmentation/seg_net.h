/*
 * The weights of a segmentation network as a file states them: pyannote/segmentation-3.0 and nets
 * of its family, of any width and depth. Layouts are PyTorch's; both loaders give the same numbers.
 */
#ifndef VP_SEG_NET_H
#define VP_SEG_NET_H

#include "base/pool.h"

enum {
    SEG_TAPS = 251,  /* of a sinc filter */
    SEG_STRIDE = 10, /* samples from one sinc output to the next */
    SEG_KERNEL = 5,  /* of the two other convolutions */
    SEG_POOL = 3,    /* outputs that max pooling makes one of */
    SEG_N_NORMS = 3,
    SEG_N_CONVS = 2,
    SEG_N_LINEARS = 3, /* the last one is the classifier */
    SEG_N_CLASSES = 7, /* the sets of at most two of three speakers */
    SEG_N_SPEAKERS = 3,
    SEG_MOST_LAYERS = 8,
    SEG_MOST_WIDTH = 4096 /* far beyond any layer, far below any overflow */
};

struct seg_norm {
    float *weight, *bias; /* [n_channels] */
};

struct seg_linear {
    size_t n_in, n_out;
    float *weight; /* [n_out, n_in]; of a convolution [n_out, n_in, SEG_KERNEL] */
    float *bias;   /* [n_out] */
};

/* One direction of one layer; gates in the order i f g o. */
struct seg_lstm {
    float *w_in;   /* [4 n_hidden, n_in] */
    float *w_back; /* [4 n_hidden, n_hidden] */
    float *bias;   /* [4 n_hidden], the sum of both */
};

struct seg_net {
    struct pool pool; /* owns all arrays */
    size_t n_filters; /* even: the first half are even filters, the others odd */
    size_t n_channels, n_hidden, n_layers, n_linear;
    float wav_weight, wav_bias; /* of the norm of the samples */
    float *low_hz, *band_hz;    /* [n_filters / 2], as trained: signs mean nothing */
    struct seg_norm norms[SEG_N_NORMS];
    struct seg_linear convs[SEG_N_CONVS];
    struct seg_lstm lstm[SEG_MOST_LAYERS][2]; /* forwards, backwards */
    struct seg_linear linears[SEG_N_LINEARS];
    char *name;             /* owned; from the metadata, NULL when there is none */
    char *license, *origin; /* the same */
    bool untrained;         /* the metadata says that the weights are random */
};

/* Allocates all arrays for the widths that are set. VP_ERR_MODEL when one of them is 0 or beyond
 * any network; VP_ERR_NO_MEMORY. */
enum vp_status seg_net_alloc(struct seg_net *net, struct vp_err *err) VP_MUST_CHECK;
void seg_net_free(struct seg_net *net); /* takes what is inside and the struct; NULL is legal */

/* Inputs of LSTM layer i. */
size_t seg_net_lstm_n_in(const struct seg_net *net, size_t i);

/* A model file, .safetensors or .onnx, by its content. *format is a static string. Returns owned
 * *out (seg_net_free). VP_ERR_MODEL names what is wrong. */
enum vp_status seg_net_load(const void *bytes, size_t n_bytes, struct seg_net **out,
                            const char **format, struct vp_err *err) VP_MUST_CHECK;

#endif
