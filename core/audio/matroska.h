/*
 * What the tags of a Matroska file cost a demuxer: libavformat sorts all of them anew for each, so
 * that three thousand, 60 KiB, take half a minute. So they are counted before it sees them. Pure;
 * any thread.
 */
#ifndef VP_MATROSKA_H
#define VP_MATROSKA_H

#include "base/bytes.h"
#include "base/status.h"

#define MATROSKA_MAX_TAGS 512u /* and groups of them; writers put a few for each track */

/* VP_ERR_AUDIO_UNDECODABLE: more than that. container: its name, for the sentence. */
enum vp_status matroska_check(struct bytes file, const char *container,
                              struct vp_err *err) VP_MUST_CHECK;

#endif
