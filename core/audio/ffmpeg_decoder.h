/*
 * The formats that no other decoder here reads (MP4, Matroska, AMR, ASF, ADTS, ...) -> interleaved
 * floats, by libavformat and libavcodec: from memory, with the one demuxer that the magic named and
 * decoders from a list, without any protocol. One owner; any thread.
 */
#ifndef VP_FFMPEG_DECODER_H
#define VP_FFMPEG_DECODER_H

#include "base/bytes.h"
#include "base/status.h"

struct ffmpeg_decoder;

/* What was found before the first sample is read. */
struct ffmpeg_format {
    const char *codec; /* static */
    unsigned rate_hz, channels;
    uint64_t n_frames; /* that the container promises; 0: unknown. True to some thousand frames: an
                          encoder's delay and padding may count or not */
};

/*
 * Opens the first audio track of file, whose container has this name and is read by this demuxer;
 * borrows its bytes until ffmpeg_decoder_close. The first frame is decoded, so that rate and
 * channels are those that come out. Returns owned *out. Errors: VP_ERR_AUDIO_UNSUPPORTED (no audio
 * track, or a codec outside the list), VP_ERR_AUDIO_CHANNELS, VP_ERR_AUDIO_UNDECODABLE,
 * VP_ERR_NO_MEMORY.
 */
enum vp_status ffmpeg_decoder_open(struct bytes file, const char *container, const char *demuxer,
                                   struct ffmpeg_decoder **out, struct ffmpeg_format *format,
                                   struct vp_err *err) VP_MUST_CHECK;
void ffmpeg_decoder_close(struct ffmpeg_decoder *decoder); /* takes; NULL is legal */

/* Reads up to n_frames frames; fewer only at the end, or with false. False: a packet could not be
 * decoded, *reason tells why, and the next call goes on behind it; or the stream changes its rate
 * or channels, and nothing comes after it. */
bool ffmpeg_decoder_read(struct ffmpeg_decoder *decoder, float *interleaved, size_t n_frames,
                         size_t *n_read, const char **reason) VP_MUST_CHECK;

/* Nothing comes any more. */
bool ffmpeg_decoder_has_ended(const struct ffmpeg_decoder *decoder) VP_MUST_CHECK;
/* It ended because the stream changes its rate or channels. */
bool ffmpeg_decoder_has_changed(const struct ffmpeg_decoder *decoder) VP_MUST_CHECK;
/* It ended because many packets, or large ones, gave no sound. */
bool ffmpeg_decoder_wants_more(const struct ffmpeg_decoder *decoder) VP_MUST_CHECK;

/* Frames that one packet holds: what a failure costs. */
unsigned ffmpeg_decoder_packet_frames(const struct ffmpeg_decoder *decoder);
/* Bytes of the file that were taken in. */
size_t ffmpeg_decoder_position(const struct ffmpeg_decoder *decoder);

#endif
