/* Which of the convolution kernels this build has and this CPU can run. */
#include "network/conv.h"

#include <string.h>

static const char *const names[] = {
    [VP_KERNEL_AUTO] = "auto",
    [VP_KERNEL_BLAS] = "blas",
    [VP_KERNEL_AVX2] = "avx2",
    [VP_KERNEL_AVX512] = "avx512",
};
#define N_KERNELS (sizeof names / sizeof names[0])

const char *vp_kernel_name(enum vp_kernel kernel)
{
    return (size_t)kernel < N_KERNELS ? names[kernel] : "unknown";
}

bool vp_kernel_parse(const char *name, enum vp_kernel *out)
{
    for (size_t i = 0; i < N_KERNELS; i++)
        if (strcmp(name, names[i]) == 0) {
            *out = (enum vp_kernel)i;
            return true;
        }
    return false;
}

bool vp_kernel_available(enum vp_kernel kernel)
{
    return kernel == VP_KERNEL_AUTO || conv_kernel_get(kernel) != NULL;
}
