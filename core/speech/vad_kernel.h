/*
 * The loops of the speech detector's net. One source for each instruction set, compiled without
 * fused multiply-add, and each output's additions in one order: whichever the CPU runs, the bits
 * are the same. No state; any thread.
 */
#ifndef VP_VAD_KERNEL_H
#define VP_VAD_KERNEL_H

#include "loader/small_net.h"
#include "voiceprint.h"

#define VAD_PANEL 48u /* outputs summed side by side: divides those of every layer */

struct vad_kernel {
    /* y = W x + b; W in panels of VAD_PANEL outputs. A convolution takes the frames of its taps,
     * one behind the other. x [n_taps n_in], y [n_out] */
    void (*multiply)(const struct small_layer *layer, const float *x, float *y);
    /* h = (1 - z) n + z h, with r = s(Wr x + Ur h), z = s(Wz x + Uz h), n = tanh(Wn x + r (Un h));
     * from_x and from_h [3 n_units] are the products, n_units a multiple of 16; h [n_units] */
    void (*gru)(const float *from_x, const float *from_h, size_t n_units, float *h);
};

/* The kernel for an instruction set (not AUTO); never NULL: the plain one where it is not there,
 * and for NEON, which is what the plain one is compiled to on ARM64. */
const struct vad_kernel *vad_kernel_get(enum vp_kernel kernel);

extern const struct vad_kernel vad_plain, vad_avx2, vad_avx512;

#endif
