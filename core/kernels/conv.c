/* What all convolution kernels share, and the choice between them. */
#include "kernels/conv.h"

#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 64u /* bytes: cache line and AVX-512 vector */

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

enum vp_status conv_init(struct conv *conv, const struct conv_kernel *kernel,
                         const struct net_conv *net, size_t n_freq, size_t n_weights,
                         struct vp_err *err)
{
    memset(conv, 0, sizeof *conv);
    conv->n_in = net->n_in;
    conv->n_out = net->n_out;
    conv->kernel = net->kernel;
    conv->stride = net->stride;
    kernel->layout(net->n_in, n_freq, &conv->in);
    kernel->layout(net->n_out, (n_freq - 1) / net->stride + 1, &conv->out);

    size_t n_bytes;
    if (!size_multiply(n_weights, sizeof(float), &n_bytes) ||
        !size_add(n_bytes, ALIGNMENT - 1, &n_bytes))
        return status_no_memory(err, "packed weights", SIZE_MAX);
    n_bytes = n_bytes / ALIGNMENT * ALIGNMENT;
    conv->weights = aligned_alloc(ALIGNMENT, n_bytes);
    if (conv->weights == NULL)
        return status_no_memory(err, "packed weights", n_bytes);
    memset(conv->weights, 0, n_bytes);
    conv->n_weights = n_weights;
    return VP_OK;
}

void conv_free(struct conv *conv)
{
    free(conv->weights);
    memset(conv, 0, sizeof *conv);
}
