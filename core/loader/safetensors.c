/* Reader of the safetensors format. */
#include "loader/safetensors.h"

#include "base/text.h"
#include "json_read.h"
#include "loader/tensor_set.h"

#include <stdlib.h>
#include <string.h>

#define LENGTH_BYTES     8u
#define MAX_HEADER_BYTES ((uint64_t)1 << 20) /* ResNet293 needs a fifth of it */
#define MAX_NAME_CHARS   200

/* Where a tensor lies in the data section, for the check that all of it is accounted for. */
struct extent {
    size_t begin, end;
    const char *name;
};

static enum vp_status parse_header(const unsigned char *bytes, size_t n_bytes, json_t **header,
                                   size_t *data_begin, struct vp_err *err)
{
    uint64_t length = 0;
    if (n_bytes < LENGTH_BYTES)
        return status_fail(err, VP_ERR_MODEL,
                           "safetensors: the file ends inside its header length");
    memcpy(&length, bytes, LENGTH_BYTES);
    if (length > n_bytes - LENGTH_BYTES)
        return status_fail(err, VP_ERR_MODEL,
                           "safetensors: the header claims %ju bytes, the file has %zu; it is cut "
                           "or damaged",
                           (uintmax_t)length, n_bytes - LENGTH_BYTES);
    if (length > MAX_HEADER_BYTES)
        return status_fail(err, VP_ERR_MODEL, "safetensors: a header of %ju bytes is too large",
                           (uintmax_t)length);
    json_error_t where;
    const enum vp_status status =
        vp_json_read((const char *)bytes + LENGTH_BYTES, (size_t)length, header, &where);
    if (status == VP_ERR_NO_MEMORY)
        return status_no_memory(err, "the header of a model file", (size_t)length);
    if (status != VP_OK)
        return status_fail(err, VP_ERR_MODEL, "safetensors: the header is no valid JSON: %.140s",
                           where.text);
    if (!json_is_object(*header))
        return status_fail(err, VP_ERR_MODEL, "safetensors: the header is no JSON object");
    *data_begin = LENGTH_BYTES + (size_t)length;
    return VP_OK;
}

static enum vp_status read_metadata(const json_t *pairs, struct metadata *metadata,
                                    struct vp_err *err)
{
    if (!json_is_object(pairs))
        return status_fail(err, VP_ERR_MODEL, "safetensors: '__metadata__' is no JSON object");
    for (void *i = json_object_iter((json_t *)(uintptr_t)pairs); i != NULL;
         i = json_object_iter_next((json_t *)(uintptr_t)pairs, i)) {
        const char *value = json_string_value(json_object_iter_value(i));
        const char *key = json_object_iter_key(i);
        if (value == NULL)
            return status_fail(err, VP_ERR_MODEL, "safetensors: metadata '%.80s' is no text",
                               text_is_printable(key, MAX_NAME_CHARS) ? key : "(unprintable)");
        enum vp_status status = metadata_set(metadata, key, value, err);
        if (status != VP_OK)
            return status;
    }
    return VP_OK;
}

static bool parse_size(const json_t *number, size_t *out)
{
    if (!json_is_integer(number) || json_integer_value(number) < 0)
        return false;
    *out = (size_t)json_integer_value(number);
    return true;
}

static bool parse_dtype(const json_t *dtype, enum tensor_type *out)
{
    static const struct {
        const char *name;
        enum tensor_type type;
    } known[] = {{"F32", TENSOR_F32}, {"F16", TENSOR_F16}, {"I64", TENSOR_I64}};
    const char *name = json_string_value(dtype);
    for (size_t i = 0; name != NULL && i < sizeof known / sizeof known[0]; i++)
        if (strcmp(name, known[i].name) == 0) {
            *out = known[i].type;
            return true;
        }
    return false;
}

static enum vp_status parse_shape(const json_t *shape, struct tensor *tensor, struct vp_err *err)
{
    size_t n_dims = json_array_size(shape);
    if (!json_is_array(shape) || n_dims > TENSOR_MAX_DIMS)
        return status_fail(err, VP_ERR_MODEL, "tensor '%.100s' has no shape of up to %d dimensions",
                           tensor->name, TENSOR_MAX_DIMS);
    tensor->n_dims = n_dims;
    for (size_t i = 0; i < n_dims; i++)
        if (!parse_size(json_array_get(shape, i), &tensor->dims[i]))
            return status_fail(err, VP_ERR_MODEL,
                               "tensor '%.100s': dimension %zu of its shape is no count",
                               tensor->name, i);
    if (!size_product(tensor->dims, n_dims, &tensor->n_values))
        return status_fail(err, VP_ERR_MODEL, "tensor '%.100s' has a shape beyond all memory",
                           tensor->name);
    return VP_OK;
}

/* One entry of the header, whose data lies in data [n_data]. */
static enum vp_status parse_tensor(const char *name, const json_t *entry, const unsigned char *data,
                                   size_t n_data, struct tensor *tensor, struct extent *extent,
                                   struct vp_err *err)
{
    if (!text_is_printable(name, MAX_NAME_CHARS))
        return status_fail(err, VP_ERR_MODEL, "safetensors: a tensor's name is not printable text");
    *tensor = (struct tensor){.name = name};
    if (json_object_size(entry) != 3) /* 0 unless it is an object */
        return status_fail(err, VP_ERR_MODEL,
                           "tensor '%.100s' must have dtype, shape and data_offsets, no more",
                           name);
    if (!parse_dtype(json_object_get(entry, "dtype"), &tensor->type))
        return status_fail(err, VP_ERR_MODEL, "tensor '%.100s' has a dtype that is not F32 or F16",
                           name);
    enum vp_status status = parse_shape(json_object_get(entry, "shape"), tensor, err);
    if (status != VP_OK)
        return status;
    const json_t *offsets = json_object_get(entry, "data_offsets");
    size_t n_bytes = 0;
    *extent = (struct extent){.name = name};
    if (json_array_size(offsets) != 2 || !parse_size(json_array_get(offsets, 0), &extent->begin) ||
        !parse_size(json_array_get(offsets, 1), &extent->end) || extent->begin > extent->end)
        return status_fail(err, VP_ERR_MODEL, "tensor '%.100s' has offsets that are no range",
                           name);
    if (extent->end > n_data)
        return status_fail(err, VP_ERR_MODEL,
                           "tensor '%.100s' ends at byte %zu of the data, which has %zu; the file "
                           "is cut or damaged",
                           name, extent->end, n_data);
    if (!size_multiply(tensor->n_values, tensor_type_bytes(tensor->type), &n_bytes) ||
        n_bytes != extent->end - extent->begin)
        return status_fail(
            err, VP_ERR_MODEL,
            "tensor '%.100s' has %zu bytes of data, which is not what its shape takes", name,
            extent->end - extent->begin);
    tensor->data = data + extent->begin;
    return VP_OK;
}

static int by_begin(const void *a, const void *b)
{
    const struct extent *left = a, *right = b;
    if (left->begin != right->begin)
        return left->begin < right->begin ? -1 : 1;
    return left->end < right->end ? -1 : left->end > right->end;
}

/* The tensors must cover [0, n_data) exactly: bytes nobody reads could be anything. */
static enum vp_status check_cover(struct extent *extents, size_t n, size_t n_data,
                                  struct vp_err *err)
{
    qsort(extents, n, sizeof *extents, by_begin);
    size_t covered = 0;
    for (size_t i = 0; i < n; i++) {
        if (extents[i].begin != covered)
            return status_fail(err, VP_ERR_MODEL, "tensor '%.100s' %s the data before it",
                               extents[i].name,
                               extents[i].begin < covered ? "overlaps" : "leaves a gap after");
        covered = extents[i].end;
    }
    if (covered != n_data)
        return status_fail(err, VP_ERR_MODEL,
                           "safetensors: %zu bytes after the last tensor belong to none",
                           n_data - covered);
    return VP_OK;
}

static enum vp_status parse_tensors(const json_t *header, const unsigned char *data, size_t n_data,
                                    struct safetensors *out, struct metadata *metadata,
                                    struct vp_err *err)
{
    json_t *entries = (json_t *)(uintptr_t)header; /* jansson's iterators take no const */
    size_t n_entries = json_object_size(header);
    enum vp_status status = VP_OK;
    struct extent *extents = calloc(n_entries + 1, sizeof *extents);
    out->tensors = calloc(n_entries + 1, sizeof *out->tensors);
    if (extents == NULL || out->tensors == NULL) {
        status = status_no_memory(err, "the list of tensors", n_entries * sizeof *out->tensors);
        goto out;
    }
    for (void *i = json_object_iter(entries); i != NULL && status == VP_OK;
         i = json_object_iter_next(entries, i)) {
        const char *name = json_object_iter_key(i);
        if (strcmp(name, "__metadata__") == 0) {
            status = read_metadata(json_object_iter_value(i), metadata, err);
            continue;
        }
        status = parse_tensor(name, json_object_iter_value(i), data, n_data,
                              &out->tensors[out->n_tensors], &extents[out->n_tensors], err);
        out->n_tensors++;
    }
    if (status == VP_OK)
        status = check_cover(extents, out->n_tensors, n_data, err);
out:
    free(extents);
    return status;
}

enum vp_status safetensors_open(const void *bytes, size_t n_bytes, struct safetensors *out,
                                struct metadata *metadata, struct vp_err *err)
{
    *out = (struct safetensors){0};
    json_t *header = NULL;
    size_t data_begin = 0;
    enum vp_status status = parse_header(bytes, n_bytes, &header, &data_begin, err);
    out->header = header;
    if (status != VP_OK)
        return status;
    const unsigned char *data = (const unsigned char *)bytes + data_begin;
    size_t n_data = n_bytes - data_begin;
    status = parse_tensors(header, data, n_data, out, metadata, err);
    if (status != VP_OK || metadata->weights_sha256[0] == '\0')
        return status;
    char hex[DIGEST_HEX_CHARS];
    digest_sha256(data, n_data, hex);
    if (strcmp(hex, metadata->weights_sha256) != 0)
        return status_fail(err, VP_ERR_MODEL,
                           "the weights do not match metadata 'weights_sha256': the file is "
                           "damaged; fetch it again");
    return VP_OK;
}

void safetensors_close(struct safetensors *file)
{
    free(file->tensors);
    json_decref(file->header);
    *file = (struct safetensors){0};
}

enum vp_status safetensors_take(const struct safetensors *file, const char *name,
                                const size_t *dims, size_t n_dims, float **out, struct vp_err *err)
{
    *out = NULL;
    const struct tensor_set set = {file->tensors, file->n_tensors, err};
    size_t n_values, n_bytes;
    if (!size_product(dims, n_dims, &n_values) || !size_multiply(n_values, sizeof **out, &n_bytes))
        return status_no_memory(err, name, SIZE_MAX);
    *out = malloc(n_bytes);
    if (*out == NULL)
        return status_no_memory(err, name, n_bytes);
    const enum vp_status status = tensor_set_read(&set, name, dims, n_dims, *out);
    if (status != VP_OK) {
        free(*out);
        *out = NULL;
    }
    return status;
}

enum vp_status safetensors_finish(const struct safetensors *file, const char *what,
                                  struct vp_err *err)
{
    for (size_t i = 0; i < file->n_tensors; i++)
        if (!file->tensors[i].used)
            return status_fail(err, VP_ERR_MODEL, "tensor '%s' is none of %s",
                               file->tensors[i].name, what);
    return VP_OK;
}
