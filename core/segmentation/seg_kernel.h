/*
 * The loops of the segmentation network that are not matrix products, and the step of its LSTM.
 *
 * Rows are frames, channels next to each other. Rows begin on 64 bytes and are n floats long, a
 * multiple of SEG_ROW; channels beyond the real ones have weight 0. One source for each instruction
 * set; the plain one runs everywhere. No state; any thread.
 */
#ifndef VP_SEG_KERNEL_H
#define VP_SEG_KERNEL_H

#include "voiceprint.h"

#define SEG_ROW       16u /* floats: one cache line, whole vectors of every kernel */
#define SEG_PADDED(n) (((n) + SEG_ROW - 1) / SEG_ROW * SEG_ROW)
#define SEG_SUM_ROWS  64u /* that sums in float are made of */

/* One moment of one direction of an LSTM layer, for several windows side by side. */
struct lstm_step {
    size_t n_rows;       /* windows */
    size_t n_units;      /* padded */
    const float *in;     /* [n_rows, 4 n_units]: products with the input, see lstm_pack */
    const float *bias;   /* [4 n_units], in the same order */
    const float *back;   /* weights of the recurrence, see lstm_pack */
    const float *before; /* output of the moment before: row r at before + r * before_row */
    float *cells;        /* [n_rows, n_units], updated */
    float *after;        /* output, row r at after + r * after_row */
    size_t before_row, after_row;
};

struct seg_kernel {
    size_t lanes; /* of a vector: decides the order of the LSTM's weights */
    /* out[n_out, n] = max over three rows of |x * scale + offset[c]|; x [3 n_out, n] */
    void (*abs_pool)(const float *x, size_t n_out, size_t n, float scale, const float *offset,
                     float *out);
    /* out[n_out, n] = max over three rows */
    void (*pool)(const float *x, size_t n_out, size_t n, float *out);
    /* sums[n] = sum over at most SEG_SUM_ROWS rows of x - mean[c], or of its square */
    void (*sum)(const float *x, size_t n_rows, size_t n, const float *mean, bool squared,
                float *sums);
    /* x = leaky ReLU of x * gain[c] + offset[c] */
    void (*norm)(float *x, size_t n_rows, size_t n, const float *gain, const float *offset);
    void (*lstm)(const struct lstm_step *step);
};

/* The kernel for an instruction set (not AUTO); never NULL: the plain one where it is not there,
 * and for NEON, which is what the plain one is compiled to on ARM64. */
const struct seg_kernel *seg_kernel_get(enum vp_kernel kernel);

extern const struct seg_kernel seg_plain, seg_avx2, seg_avx512;

#endif
