/* An ONNX file in memory -> struct onnx_graph. Knows the format, not the network. Any thread. */
#ifndef VP_ONNX_H
#define VP_ONNX_H

#include "loader/metadata.h"
#include "loader/onnx/onnx_graph.h"

/*
 * Reads bytes [n_bytes], borrowed for the life of *out. Fills *metadata from metadata_props; the
 * caller clears it. VP_ERR_MODEL names what is wrong. Close *out also after an error.
 */
enum vp_status onnx_open(const void *bytes, size_t n_bytes, struct onnx_graph *out,
                         struct metadata *metadata, struct vp_err *err) VP_MUST_CHECK;
void onnx_close(struct onnx_graph *graph);

#endif
