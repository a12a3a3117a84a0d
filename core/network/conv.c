/* What all convolution kernels share, and the choice between them. */
#include "network/conv.h"

const struct conv_kernel *conv_kernel_get(enum vp_kernel kernel)
{
    if (!vp_kernel_available(kernel))
        return NULL;
    switch (kernel) {
    case VP_KERNEL_BLAS:
        return &conv_blas;
#if defined(__x86_64__)
    case VP_KERNEL_AVX2:
        return &conv_avx2;
    case VP_KERNEL_AVX512:
        return &conv_avx512;
#elif defined(__aarch64__)
    case VP_KERNEL_NEON:
        return &conv_neon;
#endif
    default:
        return NULL;
    }
}

void conv_shape(const struct conv_kernel *kernel, const struct net_conv *net, size_t n_freq,
                struct conv *out)
{
    *out = (struct conv){.n_in = net->n_in,
                         .n_out = net->n_out,
                         .kernel = net->kernel,
                         .stride = net->stride,
                         .time_stride = net->time_stride};
    kernel->layout(net->n_in, n_freq, &out->in);
    kernel->layout(net->n_out, (n_freq - 1) / net->stride + 1, &out->out);
}
