/*
 * CAM++ at work: fbank features [T, n_mels] -> embedding [dim].
 *
 *   struct campplus        weights packed for one kernel. Immutable, shared by all threads.
 *   struct campplus_state  activations of one worker, all allocated at creation. One owner.
 *
 * Its gates look at the whole clip, so that a clip is held as a whole, layer by layer: in one pass
 * up to CAMPPLUS_MOST_FRAMES. A longer one is cut into the fewest windows of equal length that are
 * not longer than CAMPPLUS_WINDOW_FRAMES; its embedding is the mean of theirs, each normalised and
 * weighted by its length, at the mean of their norms. So memory does not grow with the clip.
 */
#ifndef VP_CAMPPLUS_H
#define VP_CAMPPLUS_H

#include "base/cancel.h"
#include "network/net.h"

struct campplus;
struct campplus_state;

#define CAMPPLUS_MOST_FRAMES   1000u /* 10 s */
#define CAMPPLUS_WINDOW_FRAMES 1000u

/* Packs net's weights for kernel (not AUTO, and available). net has a campplus; borrowed for the
 * call only. Returns owned *out (campplus_free), NULL on error: VP_ERR_NO_MEMORY. */
enum vp_status campplus_new(const struct net *net, enum vp_kernel kernel, struct campplus **out,
                            struct vp_err *err) VP_MUST_CHECK;
void campplus_free(struct campplus *campplus); /* takes; NULL is legal */
size_t campplus_bytes(const struct campplus *campplus);

/* Everything a worker needs for clips of up to max_frames, on which n_threads (1..TEAM_MOST), the
 * worker included, may work at once. Borrows campplus for its lifetime. Returns owned *out
 * (campplus_state_free). */
enum vp_status campplus_state_new(const struct campplus *campplus, size_t max_frames,
                                  size_t n_threads, struct campplus_state **out,
                                  struct vp_err *err) VP_MUST_CHECK;
void campplus_state_free(struct campplus_state *state); /* takes; NULL is legal */
size_t campplus_state_bytes(const struct campplus_state *state);

/*
 * features [n_frames, n_mels], mean removed -> embedding [dim], not normalised. Never allocates.
 * tap may be NULL; stages as vp_clip_embed_tapped has them, of the last window where there are
 * several. VP_ERR_ARGUMENT when n_frames is below RESNET_MIN_FRAMES or above max_frames, and
 * VP_ERR_INFERENCE when one of several windows gives a zero or an infinite embedding. Else the
 * embedding is not judged here.
 */
enum vp_status campplus_forward(struct campplus_state *state, const float *features,
                                size_t n_frames, float *embedding, vp_tap tap, void *tap_ctx,
                                struct vp_err *err) VP_MUST_CHECK;

/* What the forward pass asks between two layers, from then on; see resnet_watch. */
void campplus_watch(struct campplus_state *state, struct cancel cancel);

/* Another thread's part in the forward pass that runs on state; see vp_clip_help. */
void campplus_help(struct campplus_state *state, bool (*leave)(void *ctx), void *ctx);

#endif
