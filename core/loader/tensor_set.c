/* Names are few and looked up once each: a walk through the list will do. */
#include "loader/tensor_set.h"

#include <string.h>

struct tensor *tensor_set_find(const struct tensor_set *set, const char *name)
{
    for (size_t i = 0; i < set->n_tensors; i++)
        if (strcmp(set->tensors[i].name, name) == 0)
            return &set->tensors[i];
    return NULL;
}

enum vp_status tensor_set_take(const struct tensor_set *set, const char *name, struct tensor **out)
{
    *out = tensor_set_find(set, name);
    if (*out == NULL)
        return status_fail(set->err, VP_ERR_MODEL, "tensor '%.100s' is missing", name);
    (*out)->used = true;
    return VP_OK;
}

enum vp_status tensor_set_read(const struct tensor_set *set, const char *name, const size_t *dims,
                               size_t n_dims, float *out)
{
    struct tensor *tensor;
    enum vp_status status = tensor_set_take(set, name, &tensor);
    if (status == VP_OK)
        status = tensor_check_shape(tensor, dims, n_dims, set->err);
    return status == VP_OK ? tensor_read_floats(tensor, out, set->err) : status;
}
