/*
 * Arrays of NumPy's .npy format, as the goldens and the command line write them: little-endian
 * float32, or int16 that becomes float unscaled; C order, up to four dimensions.
 */
#ifndef VP_NPY_H
#define VP_NPY_H

#include <stdbool.h>
#include <stddef.h>

struct npy {
    size_t n_dims;   /* 0..4 */
    size_t shape[4]; /* 1 beyond n_dims */
    size_t n;        /* product of shape */
    float *data;     /* owned, [n], row-major */
};

/* Reads the whole file. On failure says why on stderr, returns false, and *out is empty. */
bool npy_load(const char *path, struct npy *out);
void npy_free(struct npy *npy); /* the data, not the struct; an empty one is legal */

#endif
