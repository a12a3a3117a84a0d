/* Model files that a test spoilt, in front of the loader: each must be refused by its sentence. */
#ifndef VP_SPOILT_H
#define VP_SPOILT_H

#include "base/status.h"
#include "draft_onnx.h"
#include "draft_safetensors.h"

struct net;

/* What the loader says of n bytes, or of a draft; *out is owned (net_free), NULL when refused. */
enum vp_status spoilt_load_bytes(const unsigned char *bytes, size_t n_bytes, struct net **out,
                                 struct vp_err *err);
enum vp_status spoilt_safetensors_load(const struct draft_safetensors *draft, struct net **out,
                                       struct vp_err *err);
/* Takes the draft. */
enum vp_status spoilt_onnx_load(struct draft_onnx *draft, struct net **out, struct vp_err *err);

/* One way to spoil tests/golden/models/tiny.safetensors, and part of the sentence that names it. */
struct spoilt_safetensors {
    const char *name;
    void (*spoil)(struct draft_safetensors *draft);
    const char *sentence;
};

/* Fails the test, naming each, when one of them is not refused by its sentence. */
void spoilt_safetensors_expect(const struct spoilt_safetensors *spoilt, size_t n);

/* One way to spoil draft_onnx_new(), and part of the sentence that names it. */
struct spoilt_onnx {
    const char *name;
    void (*spoil)(struct draft_onnx *draft);
    const char *sentence;
};

/* Fails the test, naming each, when one of them is not refused by its sentence. */
void spoilt_onnx_expect(const struct spoilt_onnx *spoilt, size_t n);

#endif
