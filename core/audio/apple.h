/* Headers of AIFF, AIFC, CAF (Apple) and AU (NeXT). Pure functions of the bytes; any thread. */
#ifndef VP_APPLE_H
#define VP_APPLE_H

#include "audio/container.h"

bool apple_is(struct bytes file) VP_MUST_CHECK;

/* Needs apple_is. Errors: VP_ERR_AUDIO_UNSUPPORTED (codec), VP_ERR_AUDIO_UNDECODABLE. */
enum vp_status apple_read(struct bytes file, struct container *out,
                          struct vp_err *err) VP_MUST_CHECK;

#endif
