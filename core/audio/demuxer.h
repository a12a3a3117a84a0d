/*
 * The first audio track of a media file as packets, by libavformat: from memory, with one demuxer,
 * and without any protocol. One owner; any thread.
 */
#ifndef VP_DEMUXER_H
#define VP_DEMUXER_H

#include "audio/ffmpeg_library.h"
#include "base/bytes.h"
#include "base/status.h"

struct demuxer;

/* Opens file, whose container has this name and is read by libavformat's demuxer format_name;
 * borrows its bytes until demuxer_close. Returns owned *out. Errors: VP_ERR_AUDIO_UNSUPPORTED (no
 * audio track, or no libavformat), VP_ERR_AUDIO_UNDECODABLE, VP_ERR_NO_MEMORY. */
enum vp_status demuxer_open(struct bytes file, const char *container, const char *format_name,
                            struct demuxer **out, struct vp_err *err) VP_MUST_CHECK;
void demuxer_close(struct demuxer *demuxer); /* takes; NULL is legal */

const AVStream *demuxer_track(const struct demuxer *demuxer); /* borrowed */
/* What the track, else the whole file, says of its length; 0.0: nothing. */
double demuxer_duration_s(const struct demuxer *demuxer);
/* The track's next packet, borrowed until the next call; NULL: there is none, or looking for it
 * takes longer than any recording needs. */
const AVPacket *demuxer_next(struct demuxer *demuxer);
bool demuxer_is_out_of_time(const struct demuxer *demuxer) VP_MUST_CHECK;
/* Bytes of the file that were taken in. */
size_t demuxer_position(const struct demuxer *demuxer);

#endif
