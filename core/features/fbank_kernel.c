/* The choice between the front end's kernels, and the plain one. */
#include "features/fbank_kernel.h"

const struct fbank_kernel *fbank_kernel_get(enum vp_kernel kernel)
{
#if defined(__x86_64__)
    if (kernel == VP_KERNEL_AVX512 && vp_kernel_available(kernel))
        return &fbank_avx512;
    if (kernel == VP_KERNEL_AVX2 && vp_kernel_available(kernel))
        return &fbank_avx2;
#else
    (void)kernel;
#endif
    return &fbank_plain;
}
