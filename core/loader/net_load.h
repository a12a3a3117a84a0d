/* A model file -> struct net, whatever its format. Any thread. */
#ifndef VP_NET_LOAD_H
#define VP_NET_LOAD_H

#include "loader/digest.h"
#include "network/net.h"

/* Reads a model file that lies in memory; told apart by content. bytes are borrowed for the call.
 * *format is "onnx" or "safetensors" (static). Returns owned *out (net_free), NULL on error,
 * already net_check-ed. */
enum vp_status net_load_bytes(const void *bytes, size_t n_bytes, struct net **out,
                              const char **format, struct vp_err *err) VP_MUST_CHECK;

/* Loads the file at path, whatever its format; *format is "onnx" or "safetensors" (static), and
 * digest receives "sha256:" + 64 hex. Returns owned *out (net_free), already net_check-ed. */
enum vp_status net_load(const char *path, struct net **out, const char **format,
                        char digest[DIGEST_TEXT_CHARS], struct vp_err *err) VP_MUST_CHECK;

#endif
