/* The choice between the kernels of the segmentation network, and the plain one. */
#include "segmentation/seg_kernel.h"

const struct seg_kernel *seg_kernel_get(enum vp_kernel kernel)
{
#if defined(__x86_64__)
    if (kernel == VP_KERNEL_AVX512 && vp_kernel_available(kernel))
        return &seg_avx512;
    if (kernel == VP_KERNEL_AVX2 && vp_kernel_available(kernel))
        return &seg_avx2;
#else
    (void)kernel;
#endif
    return &seg_plain;
}
