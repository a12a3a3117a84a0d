/*
 * The service's side of one decoder: a process, the memory that both see, and what to do when it
 * does not answer as it should. A worker has a box for its clips; a conversation has one of its
 * own, since its decoder is in the middle of it between two slices.
 */
#ifndef VP_BOX_H
#define VP_BOX_H

#include "decoder.h"
#include "sandbox/sandbox.h"

struct box;

/* How long a decoder may be at one clip, or one block of a conversation. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define BOX_MOST_S 60
#else
#define BOX_MOST_S 10
#endif

/* For recordings of up to n_bytes, as clips of up to n_samples, or one stream (VP_BLOCK_SAMPLES).
 * Asks for its decoder and does not wait for it. Borrows sandbox. Returns owned *out (box_free),
 * NULL on error: VP_ERR_NO_MEMORY. [start] and [worker] */
enum vp_status box_new(struct sandbox *sandbox, size_t n_bytes, size_t n_samples, struct box **out,
                       struct vp_err *err) VP_MUST_CHECK;
void box_free(struct box *box); /* takes, and ends its decoder; NULL is legal. [any] */

/*
 * What decodes in it: for vp_clip_decode and vp_diarization_new. Borrowed. One owner at a time.
 * Errors beside those of decoding: VP_ERR_AUDIO_UNDECODABLE (the decoder crashed, took too long,
 * wanted too much memory), VP_ERR_NO_MEMORY (the machine has no process or no memory for it),
 * VP_ERR_CANCELLED (box_watch).
 */
const struct vp_decoder *box_decoder(const struct box *box);

/* Asked every 50 ms while a decoder works; once the answer is true it is ended. NULL: nobody is.
 * ctx is borrowed until the next call. */
void box_watch(struct box *box, bool (*is_cancelled)(void *ctx), void *ctx);

#endif
