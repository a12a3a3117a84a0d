/*
 * The network at work: fbank features [T, n_mels] -> embedding [dim].
 *
 *   struct resnet        weights packed for one kernel. Immutable, shared by all threads.
 *   struct resnet_state  activations of one worker, all allocated at creation. One owner.
 */
#ifndef VP_RESNET_H
#define VP_RESNET_H

#include "base/cancel.h"
#include "network/conv.h"

struct resnet;
struct resnet_state;

/* Fewest frames that leave two after layer4: one has no variance. */
#define RESNET_MIN_FRAMES 9

/* Packs net's weights for kernel (not AUTO, and available). Borrows net for the call only. Of a
 * CAM++ the head: its frames only, no embedding. Returns owned *out (resnet_free), NULL on error:
 * VP_ERR_NO_MEMORY. */
enum vp_status resnet_new(const struct net *net, enum vp_kernel kernel, struct resnet **out,
                          struct vp_err *err) VP_MUST_CHECK;
void resnet_free(struct resnet *resnet); /* takes; NULL is legal */
size_t resnet_bytes(const struct resnet *resnet);
size_t resnet_n_mels(const struct resnet *resnet);
/* How the frames behind the last convolution lie in memory. Borrowed from resnet. */
const struct frame_layout *resnet_frame_layout(const struct resnet *resnet);

/* Everything a worker needs for clips of up to max_frames, on which n_threads (1..TEAM_MOST), the
 * worker included, may work at once. Borrows resnet for its lifetime. Returns owned *out
 * (resnet_state_free). */
enum vp_status resnet_state_new(const struct resnet *resnet, size_t max_frames, size_t n_threads,
                                struct resnet_state **out, struct vp_err *err) VP_MUST_CHECK;
void resnet_state_free(struct resnet_state *state); /* takes; NULL is legal */
/* What the forward pass asks between two steps, from then on. */
void resnet_watch(struct resnet_state *state, struct cancel cancel);
size_t resnet_state_bytes(const struct resnet_state *state);

/*
 * features [n_frames, n_mels], mean removed -> embedding [dim], not normalised. Never allocates.
 * tap may be NULL; see vp_clip_embed_tapped. VP_ERR_ARGUMENT when n_frames is below
 * RESNET_MIN_FRAMES or above max_frames, VP_ERR_CANCELLED when resnet_watch's question was
 * answered so. The embedding is not judged here.
 */
enum vp_status resnet_forward(struct resnet_state *state, const float *features, size_t n_frames,
                              float *embedding, vp_tap tap, void *tap_ctx,
                              struct vp_err *err) VP_MUST_CHECK;

/*
 * The trunk by itself: features -> the frames behind the last block, [resnet_trunk_frames,
 * resnet_trunk_rows], row c F + f. One trunk then serves several voices, see resnet_embed_stats.
 * Errors as resnet_forward; never allocates.
 */
size_t resnet_trunk_frames(const struct resnet *resnet, size_t n_frames);
size_t resnet_trunk_rows(const struct resnet *resnet);
enum vp_status resnet_trunk(struct resnet_state *state, const float *features, size_t n_frames,
                            float *trunk, struct vp_err *err) VP_MUST_CHECK;

/* Where the outputs of stages go; tap is NULL where nobody asks. See vp_clip_embed_tapped. */
struct taps {
    vp_tap tap;
    void *ctx;
};

/* Who takes each frame t behind the last convolution, borrowed for the call, in their order. */
struct resnet_taker {
    void (*take)(void *ctx, const struct frame_layout *layout, size_t t, const float *frame);
    void *ctx;
};
/* The trunk, frame by frame, to taker. Errors as resnet_forward; never allocates. */
enum vp_status resnet_frames(struct resnet_state *state, const float *features, size_t n_frames,
                             const struct resnet_taker *taker, const struct taps *taps,
                             struct vp_err *err) VP_MUST_CHECK;

/* The team that works on state, for who goes on with its frames. */
struct team *resnet_team(struct resnet_state *state);

/* Statistics of n stretches, [n, 2 resnet_trunk_rows] (means, then standard deviations), ->
 * embeddings [n, dim], not normalised. */
void resnet_embed_stats(const struct resnet *resnet, const float *stats, size_t n,
                        float *embeddings);

/* Another thread's part in the forward pass that runs on state; see vp_clip_help. */
void resnet_help(struct resnet_state *state, bool (*leave)(void *ctx), void *ctx);

#endif
