/* The choice between the speech detector's kernels, and the plain one. */
#include "speech/vad_kernel.h"

const struct vad_kernel *vad_kernel_get(enum vp_kernel kernel)
{
#if defined(__x86_64__)
    if (kernel == VP_KERNEL_AVX512 && vp_kernel_available(kernel))
        return &vad_avx512;
    if (kernel == VP_KERNEL_AVX2 && vp_kernel_available(kernel))
        return &vad_avx2;
#else
    (void)kernel;
#endif
    return &vad_plain;
}
