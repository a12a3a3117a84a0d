/* .npy: a magic, a version, the length of a Python dict as text, the dict, the data. */
#include "npy_write.h"

#include <stdio.h>
#include <string.h>

#define HEAD_BYTES 128u /* a multiple of 64, as the format asks; room for any shape */

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "floats are written as they lie");

bool npy_write(const char *path, const float *data, const size_t *shape, size_t n_dims)
{
    char head[HEAD_BYTES], dims[64] = "", dict[HEAD_BYTES - 1];
    size_t n = 1;
    for (size_t i = 0; i < n_dims; i++) {
        n *= shape[i];
        const size_t used = strlen(dims);
        snprintf(dims + used, sizeof dims - used, "%zu,", shape[i]);
    }
    snprintf(dict, sizeof dict, "{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }", dims);
    memset(head, ' ', sizeof head);
    memcpy(head, "\x93NUMPY\x01\x00", 8);
    head[8] = (char)(HEAD_BYTES - 10); /* length of what follows, two bytes */
    head[9] = 0;
    memcpy(head + 10, dict, strnlen(dict, HEAD_BYTES - 11));
    head[HEAD_BYTES - 1] = '\n';

    FILE *file = fopen(path, "wb");
    if (file == NULL)
        return false;
    const bool written =
        fwrite(head, 1, HEAD_BYTES, file) == HEAD_BYTES && fwrite(data, sizeof *data, n, file) == n;
    return fclose(file) == 0 && written;
}
