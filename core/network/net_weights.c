/* Zeroed memory. */
#include "network/net_weights.h"

#include <stdlib.h>

enum vp_status net_weights_new(const size_t *dims, size_t n_dims, float **weight, float **bias,
                               struct vp_err *err)
{
    *weight = *bias = NULL;
    size_t n, n_bytes;
    if (!size_product(dims, n_dims, &n) || !size_multiply(n, sizeof **weight, &n_bytes))
        return status_no_memory(err, "a convolution's weights", SIZE_MAX);
    *weight = calloc(1, n_bytes);
    *bias = calloc(dims[0], sizeof **bias);
    if (*weight != NULL && *bias != NULL)
        return VP_OK;
    free(*weight);
    free(*bias);
    *weight = *bias = NULL;
    return status_no_memory(err, "a convolution's weights", n_bytes);
}
