/* Names of the kernels, and what the CPU says of itself. */
#include "base/kernel.h"

#include <string.h>

static const char *const names[] = {
    [VP_KERNEL_AUTO] = "auto",     [VP_KERNEL_BLAS] = "blas", [VP_KERNEL_AVX2] = "avx2",
    [VP_KERNEL_AVX512] = "avx512", [VP_KERNEL_NEON] = "neon",
};
_Static_assert(sizeof names / sizeof names[0] == VP_N_KERNELS, "every kernel has a name");

const char *vp_kernel_name(enum vp_kernel kernel)
{
    return (size_t)kernel < VP_N_KERNELS ? names[kernel] : "unknown";
}

bool vp_kernel_parse(const char *name, enum vp_kernel *out)
{
    for (size_t i = 0; i < VP_N_KERNELS; i++)
        if (strcmp(name, names[i]) == 0) {
            *out = (enum vp_kernel)i;
            return true;
        }
    return false;
}

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

bool vp_kernel_available(enum vp_kernel kernel)
{
    switch (kernel) {
    case VP_KERNEL_AUTO:
    case VP_KERNEL_BLAS:
        return true;
#if defined(__x86_64__)
    case VP_KERNEL_AVX2:
        return cpu_is_v3();
    case VP_KERNEL_AVX512:
        return cpu_is_v4();
#elif defined(__aarch64__)
    case VP_KERNEL_NEON: /* every ARMv8-A has it */
        return true;
#endif
    default:
        return false;
    }
}

enum vp_status kernel_pick(enum vp_kernel wanted, enum vp_kernel *out, struct vp_err *err)
{
    static const enum vp_kernel fastest_first[] = {VP_KERNEL_AVX512, VP_KERNEL_AVX2, VP_KERNEL_NEON,
                                                   VP_KERNEL_BLAS};
    *out = wanted;
    for (size_t i = 0; *out == VP_KERNEL_AUTO; i++) /* the last one is always there */
        if (vp_kernel_available(fastest_first[i]))
            *out = fastest_first[i];
    if (!vp_kernel_available(*out))
        return status_fail(err, VP_ERR_ARGUMENT, "this CPU or build cannot run kernel %s; use auto",
                           vp_kernel_name(wanted));
    return VP_OK;
}
