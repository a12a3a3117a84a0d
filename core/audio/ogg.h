/* Ogg: which codec, and whether all its pages are there and whole. Pure; any thread. */
#ifndef VP_OGG_H
#define VP_OGG_H

#include "audio/container.h"

/* Needs "OggS" at the start. VP_ERR_AUDIO_UNSUPPORTED: not Vorbis or Opus.
 * VP_ERR_AUDIO_UNDECODABLE: a page is cut or fails its checksum, or the setup of a
 * Vorbis stream asks for more than vorbis.h allows. VP_ERR_NO_MEMORY. */
enum vp_status ogg_read(struct bytes file, struct container *out, struct vp_err *err) VP_MUST_CHECK;

#endif
