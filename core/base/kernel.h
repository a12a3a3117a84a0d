/* Which of the kernels this build has and this CPU can run; vp_kernel_name, vp_kernel_parse and
 * vp_kernel_available of voiceprint.h are here. Any thread. */
#ifndef VP_KERNEL_H
#define VP_KERNEL_H

#include "base/status.h"

/* wanted, or for AUTO the fastest that there is, never AUTO. VP_ERR_ARGUMENT when this build or
 * this CPU does not have it. */
enum vp_status kernel_pick(enum vp_kernel wanted, enum vp_kernel *out,
                           struct vp_err *err) VP_MUST_CHECK;

#endif
