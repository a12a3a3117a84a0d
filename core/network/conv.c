/* What all convolution kernels share, and the choice between them. */
#include "network/conv.h"

#if defined(__x86_64__)
/* The levels that the vector sources are compiled for, by the features that tell their first CPUs
 * from older ones: gcc has names for the levels themselves, clang 14 has not. */
static bool cpu_is_v3(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
}

static bool cpu_is_v4(void)
{
    return cpu_is_v3() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
}
#endif

const struct conv_kernel *conv_kernel_get(enum vp_kernel kernel)
{
#if defined(__x86_64__)
    if (kernel == VP_KERNEL_AVX512 && cpu_is_v4())
        return &conv_avx512;
    if (kernel == VP_KERNEL_AVX2 && cpu_is_v3())
        return &conv_avx2;
#endif
    return kernel == VP_KERNEL_BLAS ? &conv_blas : NULL;
}

void conv_shape(const struct conv_kernel *kernel, const struct net_conv *net, size_t n_freq,
                struct conv *out)
{
    *out = (struct conv){
        .n_in = net->n_in, .n_out = net->n_out, .kernel = net->kernel, .stride = net->stride};
    kernel->layout(net->n_in, n_freq, &out->in);
    kernel->layout(net->n_out, (n_freq - 1) / net->stride + 1, &out->out);
}
