/* Reader of .npy files for the tests. */
#include "npy.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Parses "(2, 3, )" into shape. */
static bool parse_shape(const char *text, struct npy *npy)
{
    npy->n = 1;
    for (size_t i = 0; i < 4; i++)
        npy->shape[i] = 1;
    for (text++; *text != ')'; text += strspn(text, ", ")) {
        char *end;
        const unsigned long long size = strtoull(text, &end, 10);
        if (end == text || npy->n_dims == 4 ||
            __builtin_mul_overflow(npy->n, (size_t)size, &npy->n))
            return false;
        npy->shape[npy->n_dims++] = (size_t)size;
        text = end;
    }
    return npy->n < SIZE_MAX / sizeof(float);
}

static const char *read_header(FILE *file, struct npy *npy, bool *is_int16)
{
    unsigned char head[12];
    char text[4096];
    if (fread(head, 1, 10, file) != 10 || memcmp(head, "\x93NUMPY", 6) != 0)
        return "not a .npy file";
    size_t n_text = head[8] + 256u * head[9];
    if (head[6] > 1) { /* versions 2 and 3 have four bytes of length */
        if (fread(head + 10, 1, 2, file) != 2 || head[10] != 0 || head[11] != 0)
            return "header too long";
    }
    if (n_text >= sizeof text || fread(text, 1, n_text, file) != n_text)
        return "header cut";
    text[n_text] = '\0';
    *is_int16 = strstr(text, "'descr': '<i2'") != NULL;
    if (!(*is_int16 || strstr(text, "'descr': '<f4'") != NULL) ||
        strstr(text, "'fortran_order': False") == NULL)
        return "not little-endian float32 or int16 in C order";
    const char *shape = strstr(text, "'shape': (");
    if (shape == NULL || strchr(shape, ')') == NULL || !parse_shape(strchr(shape, '('), npy))
        return "shape not understood";
    return NULL;
}

static const char *read_data(FILE *file, struct npy *npy, bool is_int16)
{
    const size_t size = is_int16 ? sizeof(int16_t) : sizeof(float);
    npy->data = malloc(npy->n * sizeof *npy->data + 1);
    if (npy->data == NULL || fread(npy->data, size, npy->n, file) != npy->n || fgetc(file) != EOF)
        return "data do not match the shape";
    if (is_int16) {
        for (size_t i = npy->n; i-- > 0;) { /* backwards: floats overwrite what was read */
            int16_t value;
            memcpy(&value, (const char *)npy->data + i * sizeof value, sizeof value);
            npy->data[i] = (float)value;
        }
    }
    return NULL;
}

bool npy_load(const char *path, struct npy *out)
{
    memset(out, 0, sizeof *out);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fprintf(stderr, "%s: cannot be opened\n", path);
        return false;
    }
    bool is_int16 = false;
    const char *wrong = read_header(file, out, &is_int16);
    if (wrong == NULL)
        wrong = read_data(file, out, is_int16);
    fclose(file);
    if (wrong != NULL) {
        fprintf(stderr, "%s: %s\n", path, wrong);
        npy_free(out);
    }
    return wrong == NULL;
}

void npy_free(struct npy *npy)
{
    free(npy->data);
    memset(npy, 0, sizeof *npy);
}
