/* What people hand over for a model by mistake, told by its first bytes. Any thread. */
#ifndef VP_MISTAKEN_H
#define VP_MISTAKEN_H

#include "base/status.h"

/* VP_ERR_MODEL with what to do, when the bytes are a web page, a checkpoint, an archive or next to
 * nothing. */
enum vp_status mistaken_check(const void *bytes, size_t n_bytes, struct vp_err *err) VP_MUST_CHECK;

/* A safetensors file has its JSON object at byte 8; no ONNX file has a brace there. */
bool mistaken_is_safetensors(const void *bytes, size_t n_bytes);

#endif
