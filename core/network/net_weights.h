/* What the convolutions of all networks have in common before they are packed: their memory, and
 * how many channels they may have. Any thread. */
#ifndef VP_NET_WEIGHTS_H
#define VP_NET_WEIGHTS_H

#include "base/status.h"

#define NET_MAX_CHANNELS 65536u /* 32 times the widest layer in use, and far from any overflow */

/* Memory for weights [dims, n_dims of them] and a bias [dims[0]], owned and zeroed; both NULL on
 * error, which is VP_ERR_NO_MEMORY. */
enum vp_status net_weights_new(const size_t *dims, size_t n_dims, float **weight, float **bias,
                               struct vp_err *err) VP_MUST_CHECK;

#endif
