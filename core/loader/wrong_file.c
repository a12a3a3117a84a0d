/* First bytes of what is no model. */
#include "loader/wrong_file.h"

#include <string.h>

#define MIN_BYTES 64 /* less than the smallest header of either format */

/* What people hand over by mistake, by its first bytes, and what to do about it. */
static const struct {
    const char *magic;
    const char *sentence;
} mistaken[] = {
    {"version https://git-lfs", "this is a git-lfs pointer, not the model; run `git lfs pull`"},
    {"<", "this is an HTML or XML page, not a model; the download went wrong, fetch it again"},
    {"PK\003\004", "this is a zip or PyTorch checkpoint; convert it to safetensors first"},
    {"\200\002", "this is a Python pickle; convert the checkpoint to safetensors first"},
    {"GGUF", "this is a GGUF file; only .onnx and .safetensors are read"},
    {"\037\213", "this is a gzip file; unpack it first"},
};

enum vp_status mistaken_check(const void *bytes, size_t n_bytes, struct vp_err *err)
{
    if (n_bytes < MIN_BYTES)
        return status_fail(err, VP_ERR_MODEL, "a file of %zu bytes is no model; it is empty or cut",
                           n_bytes);
    for (size_t i = 0; i < sizeof mistaken / sizeof mistaken[0]; i++) {
        size_t n = strlen(mistaken[i].magic);
        if (n_bytes >= n && memcmp(bytes, mistaken[i].magic, n) == 0)
            return status_fail(err, VP_ERR_MODEL, "%s", mistaken[i].sentence);
    }
    return VP_OK;
}

bool mistaken_is_safetensors(const void *bytes, size_t n_bytes)
{
    return n_bytes > 8 && ((const unsigned char *)bytes)[8] == '{';
}
