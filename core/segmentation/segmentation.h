/* An opened segmentation network: the file's facts and the packed weights. Immutable, shared by all
 * threads. */
#ifndef VP_SEGMENTATION_H
#define VP_SEGMENTATION_H

#include "diarization.h"
#include "segmentation/seg_packed.h"

struct vp_segmentation {
    struct vp_segmentation_info info;
    char *name, *license, *origin; /* owned; the last two may be NULL */
    struct seg_packed packed;
};

/* Packs a loaded network, borrowed for the call, for a kernel (not AUTO). Returns owned *out
 * (vp_segmentation_free). VP_ERR_NO_MEMORY. info.format, digest and name are the caller's to set.
 */
enum vp_status segmentation_new(const struct seg_net *net, enum vp_kernel kernel,
                                vp_segmentation **out, struct vp_err *err) VP_MUST_CHECK;

#endif
