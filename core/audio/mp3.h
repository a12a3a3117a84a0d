/* MP3: is it one, and are all its frames there? Pure functions of the bytes; any thread. */
#ifndef VP_MP3_H
#define VP_MP3_H

#include "audio/container.h"

/* Does an MPEG audio frame of any layer start here, and another right behind it? */
bool mp3_is(struct bytes stream) VP_MUST_CHECK;

/* Needs mp3_is; stream begins behind an ID3v2 tag. VP_ERR_AUDIO_UNSUPPORTED: layer I or II.
 * VP_ERR_AUDIO_UNDECODABLE: frames are missing at the end. */
enum vp_status mp3_read(struct bytes stream, struct container *out,
                        struct vp_err *err) VP_MUST_CHECK;

#endif
