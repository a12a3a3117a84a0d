/*
 * What a model file says about itself, as pairs of text: `__metadata__` of a safetensors file,
 * metadata_props of an ONNX file. The keys are the same in both; core/MODEL.md lists them.
 * Unknown keys are free text of other tools and are passed over; a known key with a value that
 * makes no sense is refused.
 */
#ifndef VP_METADATA_H
#define VP_METADATA_H

#include "loader/digest.h"
#include "network/net.h"

struct metadata {
    char *name;             /* owned, or NULL */
    char *license, *origin; /* owned, or NULL: under which terms, and whose, the weights are */
    bool untrained;
    bool has_threshold, has_slope, has_offset, has_diarize_threshold;
    double threshold, slope, offset, diarize_threshold;
    bool has_front_end;
    enum front_end front_end;
    size_t n_mels;    /* 0: not said */
    size_t dim;       /* 0: not said */
    float *self_test; /* owned, [n_self_test], or NULL */
    size_t n_self_test;
    char weights_sha256[DIGEST_HEX_CHARS]; /* "" : not said */
    /* Of the embedding model that a net of another kind was trained on, "sha256:..."; "": not said
     */
    char model_digest[DIGEST_TEXT_CHARS];
    struct { /* of a segmentation network; 0: not said */
        size_t num_speakers, powerset_max_classes, num_classes, sample_rate, window_size;
    } segmentation;
};

/* Takes one pair into *metadata, which starts as zeroes. Borrows both strings. VP_ERR_MODEL names
 * the key. */
enum vp_status metadata_set(struct metadata *metadata, const char *key, const char *value,
                            struct vp_err *err) VP_MUST_CHECK;

/* Does it agree with the loaded weights? Then moves everything into *net. */
enum vp_status metadata_move(struct metadata *metadata, struct net *net,
                             struct vp_err *err) VP_MUST_CHECK;

void metadata_clear(struct metadata *metadata); /* frees what is still inside */

#endif
