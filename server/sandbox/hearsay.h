/* What a decoder says in words, before anybody else reads it. Pure; any thread. */
#ifndef VP_HEARSAY_H
#define VP_HEARSAY_H

#include "sandbox/message.h"

/* The error of an answer: its status, and what it says, with no byte that is not printable ASCII. A
 * status that no decoder gives is VP_ERR_AUDIO_UNDECODABLE. VP_OK: it is none. */
enum vp_status hearsay_error(const struct reply_message *reply, struct vp_err *err) VP_MUST_CHECK;

#endif
