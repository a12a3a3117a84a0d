/*
 * A network that turns features into an embedding, whichever its type: what voice/ and diarize/
 * know of it. resnet.h and campplus.h have the two there are, and say what each function does.
 */
#ifndef VP_NETWORK_H
#define VP_NETWORK_H

#include "network/campplus.h"
#include "network/resnet.h"

struct network { /* owned, one of the two; the other is NULL */
    struct resnet *resnet;
    struct campplus *campplus;
};

struct network_state { /* owned, one of the two; the other is NULL */
    struct resnet_state *resnet;
    struct campplus_state *campplus;
};

/* Fewest frames of a clip: a ResNet's layer4 leaves two of them, and one has no variance. */
#define NETWORK_MIN_FRAMES 9

/* Packs net's weights for kernel (not AUTO, and available), borrowed for the call. Returns owned
 * *out (network_free), NULL on error. Immutable, shared by all threads. */
enum vp_status network_new(const struct net *net, enum vp_kernel kernel, struct network **out,
                           struct vp_err *err) VP_MUST_CHECK;
void network_free(struct network *network); /* takes; NULL is legal */
size_t network_bytes(const struct network *network);

/* One worker's activations, for clips of up to max_frames and n_threads (1..TEAM_MOST). Borrows
 * network for its lifetime. Returns owned *out (network_state_free). One owner. */
enum vp_status network_state_new(const struct network *network, size_t max_frames, size_t n_threads,
                                 struct network_state **out, struct vp_err *err) VP_MUST_CHECK;
void network_state_free(struct network_state *state); /* takes; NULL is legal */
size_t network_state_bytes(const struct network_state *state);

/* features [n_frames, n_mels], mean removed -> embedding [dim], not normalised, not judged. tap may
 * be NULL. VP_ERR_ARGUMENT when n_frames is below NETWORK_MIN_FRAMES or above max_frames. */
enum vp_status network_forward(struct network_state *state, const float *features, size_t n_frames,
                               float *embedding, vp_tap tap, void *tap_ctx,
                               struct vp_err *err) VP_MUST_CHECK;

/* What network_forward, and whatever else runs on state, asks between two steps; then
 * VP_ERR_CANCELLED. */
void network_watch(struct network_state *state, struct cancel cancel);

/* Another thread's part in the forward pass that runs on state; see vp_clip_help. */
void network_help(struct network_state *state, bool (*leave)(void *ctx), void *ctx);

#endif
