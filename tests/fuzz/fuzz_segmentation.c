/*
 * Any bytes as a file of a segmentation network: refused with a sentence, or a network that can be
 * packed; never a crash, a leak or a read beyond the bytes. libFuzzer's main; `make fuzz` runs it.
 */
#include "segmentation/segmentation.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct seg_net *net = NULL;
    vp_segmentation *packed = NULL;
    struct vp_err err = {0};
    const char *format = NULL;
    const enum vp_status status = seg_net_load(bytes, n_bytes, &net, &format, &err);
    if ((status == VP_OK) != (net != NULL) || (net == NULL && err.message[0] == '\0')) {
        fprintf(stderr, "%s: %s\n", vp_status_name(status), err.message);
        abort();
    }
    if (net != NULL && segmentation_new(net, VP_KERNEL_BLAS, &packed, &err) != VP_OK &&
        err.status != VP_ERR_NO_MEMORY)
        abort();
    vp_segmentation_free(packed);
    seg_net_free(net);
    return 0;
}
