/* Headers of WAV (RIFF), RF64 and W64. Pure functions of the bytes; any thread. */
#ifndef VP_RIFF_H
#define VP_RIFF_H

#include "audio/container.h"

bool riff_is(struct bytes file) VP_MUST_CHECK;

/* Needs riff_is. Errors: VP_ERR_AUDIO_UNSUPPORTED (codec), VP_ERR_AUDIO_UNDECODABLE. */
enum vp_status riff_read(struct bytes file, struct container *out,
                         struct vp_err *err) VP_MUST_CHECK;

#endif
