/* What the kernels of 1-D convolutions share, and the choice between them. */
#include "network/conv1d.h"

const struct conv1d_kernel *conv1d_kernel_get(enum vp_kernel kernel)
{
    if (!vp_kernel_available(kernel))
        return NULL;
#if defined(__aarch64__)
    if (kernel == VP_KERNEL_NEON)
        return &conv1d_neon;
#elif defined(__x86_64__)
    if (kernel == VP_KERNEL_AVX512)
        return &conv1d_avx512;
    if (kernel == VP_KERNEL_AVX2)
        return &conv1d_avx2;
#endif
    return kernel == VP_KERNEL_BLAS ? &conv1d_blas : NULL;
}

void conv1d_shape(const struct net_conv1d *net, size_t n_places, struct conv1d *out)
{
    *out = (struct conv1d){.n_places = n_places,
                           .n_out = net->n_out,
                           .n_taps = net->n_taps,
                           .stride = net->stride,
                           .dilation = net->dilation,
                           .has_scale = net->scale != NULL,
                           .relu = net->relu};
}
