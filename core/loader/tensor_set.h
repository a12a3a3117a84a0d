/* The tensors of one file by name, for those who know the network. One owner; any thread. */
#ifndef VP_TENSOR_SET_H
#define VP_TENSOR_SET_H

#include "loader/tensor.h"

struct tensor_set {
    struct tensor *tensors; /* borrowed, [n_tensors] */
    size_t n_tensors;
    struct vp_err *err; /* where the sentence of a failure goes; NULL is legal */
};

/* The tensor of that name, borrowed, or NULL. It does not count as used. */
struct tensor *tensor_set_find(const struct tensor_set *set, const char *name);

/* The same; it counts as used from here on. Its shape is the caller's to check. VP_ERR_MODEL when
 * it is missing. */
enum vp_status tensor_set_take(const struct tensor_set *set, const char *name,
                               struct tensor **out) VP_MUST_CHECK;

/* The values of the tensor of that name and shape dims [n_dims] -> out [product of dims]; it counts
 * as used. VP_ERR_MODEL when it is missing, of another shape or type, or not finite. */
enum vp_status tensor_set_read(const struct tensor_set *set, const char *name, const size_t *dims,
                               size_t n_dims, float *out) VP_MUST_CHECK;

#endif
