/*
 * MP3 frames -> interleaved floats, by libmpg123. libsndfile would call the same library, but lets
 * it write its remarks on damaged frames to stderr, as many as a hostile file likes.
 * One owner; any thread.
 */
#ifndef VP_MP3_DECODER_H
#define VP_MP3_DECODER_H

#include "base/bytes.h"
#include "base/status.h"

struct mp3_decoder;

/* Opens stream, which begins with a frame; borrows its bytes until mp3_decoder_close. Tells rate
 * and channels. Returns owned *out. VP_ERR_AUDIO_UNDECODABLE, VP_ERR_NO_MEMORY. */
enum vp_status mp3_decoder_open(struct bytes stream, struct mp3_decoder **out, unsigned *rate_hz,
                                unsigned *channels, struct vp_err *err) VP_MUST_CHECK;
void mp3_decoder_close(struct mp3_decoder *decoder); /* takes; NULL is legal */

/* Reads up to n samples (frames times channels); fewer only at the end. False, and *reason why:
 * the stream cannot be decoded any further, or changes its rate or channels. */
bool mp3_decoder_read(struct mp3_decoder *decoder, float *interleaved, size_t n, size_t *n_read,
                      const char **reason) VP_MUST_CHECK;

/* Did it end because the stream changes its rate or channels? */
bool mp3_decoder_has_changed(const struct mp3_decoder *decoder) VP_MUST_CHECK;

/* Were the bytes of the stream that one read may take in too few? Then it ended there. */
bool mp3_decoder_wants_more(const struct mp3_decoder *decoder);

/* Bytes of the stream that were taken in. */
size_t mp3_decoder_position(const struct mp3_decoder *decoder);

#endif
