/*
 * The safetensors format: 8 bytes of header length (little-endian), a JSON header that gives each
 * tensor its dtype, shape and offsets, then the data. Every number in the header is checked
 * against the file before a tensor is handed out; the tensors must fill the data without gap or
 * overlap. Any thread.
 */
#ifndef VP_SAFETENSORS_H
#define VP_SAFETENSORS_H

#include "loader/metadata.h"
#include "loader/tensor.h"

struct safetensors {
    struct tensor *tensors; /* owned; names belong to header, data to the file's bytes */
    size_t n_tensors;
    void *header; /* owned: the parsed JSON, which holds the names */
};

/*
 * Reads bytes [n_bytes], borrowed for the life of *out. Fills *metadata, which the caller clears.
 * VP_ERR_MODEL names what is wrong. Close *out also after an error.
 */
enum vp_status safetensors_open(const void *bytes, size_t n_bytes, struct safetensors *out,
                                struct metadata *metadata, struct vp_err *err) VP_MUST_CHECK;
void safetensors_close(struct safetensors *file);

/* The tensor of that name and shape dims [n_dims] as floats, owned *out (free()); it counts as
 * used. VP_ERR_MODEL when it is missing, of another shape or not finite; VP_ERR_NO_MEMORY. */
enum vp_status safetensors_take(const struct safetensors *file, const char *name,
                                const size_t *dims, size_t n_dims, float **out,
                                struct vp_err *err) VP_MUST_CHECK;

/* VP_ERR_MODEL when a tensor is left that nobody took; `what` is what the file should be. */
enum vp_status safetensors_finish(const struct safetensors *file, const char *what,
                                  struct vp_err *err) VP_MUST_CHECK;

#endif
