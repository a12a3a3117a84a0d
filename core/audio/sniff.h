/*
 * What a recording is, told by its first bytes: the allow-list in front of every decoder.
 *
 * The container is told by its magic, never by a name or a media type. Its header is read by the
 * parser of that container (riff, apple, ogg, mp3) and held against the bytes that are really
 * there; what is not on the list is refused by name. Pure functions of the bytes; any thread.
 */
#ifndef VP_SNIFF_H
#define VP_SNIFF_H

#include "audio/container.h"

/* Recognises file and fills *out, which borrows from file. Errors: VP_ERR_AUDIO_EMPTY;
 * VP_ERR_AUDIO_UNSUPPORTED (err->detected names what it is); VP_ERR_AUDIO_UNDECODABLE (cut, or
 * contradicts itself); VP_ERR_NO_MEMORY. */
enum vp_status sniff_container(struct bytes file, struct container *out,
                               struct vp_err *err) VP_MUST_CHECK;

#endif
