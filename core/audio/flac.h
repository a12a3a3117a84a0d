/*
 * FLAC: how many samples a file really holds, and where its last frame ends, told by the frames
 * themselves. The count in the header is that of another file once a stream was copied in part.
 * Pure functions of the bytes; any thread.
 */
#ifndef VP_FLAC_H
#define VP_FLAC_H

#include "audio/container.h"

/* Does a FLAC stream begin here? */
bool flac_is(struct bytes stream);

/* Fills *out from a stream for which flac_is holds. VP_ERR_AUDIO_UNDECODABLE: cut in its header. */
enum vp_status flac_read(struct bytes stream, struct container *out,
                         struct vp_err *err) VP_MUST_CHECK;

#endif
