/* Writes NumPy's .npy files: version 1, little-endian float32, C order. */
#ifndef NPY_WRITE_H
#define NPY_WRITE_H

#include <stdbool.h>
#include <stddef.h>

/* data [product of shape], 1 to 3 dimensions, to path. False with errno set. */
bool npy_write(const char *path, const float *data, const size_t *shape, size_t n_dims);

#endif
