/*
 * A recording opened for reading: interleaved float frames, block by block, from bytes in memory,
 * by libsndfile (MP3: libmpg123; what neither knows: FFmpeg). Checks rate and channels before a
 * sample is read, and each sample as it is read. One owner; any thread.
 */
#ifndef VP_SOURCE_H
#define VP_SOURCE_H

#include "audio/container.h"

#define SOURCE_MAX_CHANNELS VP_MAX_CHANNELS
#define SOURCE_MIN_RATE_HZ  8000u
#define SOURCE_MAX_RATE_HZ  192000u
/* Larger samples are refused like infinity: their power would leave float's range. The room
 * above 1.0 is for float files that hold the numbers of 16 or 32-bit integers. */
#define SOURCE_MAX_SAMPLE 4294967296.0F

struct source;

/* Opens what container describes; borrows its bytes until source_close. channel: the one that is
 * read, 1 or more, or VP_CHANNEL_MIX for all of them. Returns owned *out. Errors:
 * VP_ERR_AUDIO_RATE, _CHANNELS, _NO_CHANNEL, _UNDECODABLE, VP_ERR_NO_MEMORY. */
enum vp_status source_open(const struct container *container, unsigned channel, struct source **out,
                           struct vp_err *err) VP_MUST_CHECK;
void source_close(struct source *source); /* takes; NULL is legal */

unsigned source_rate_hz(const struct source *source);
unsigned source_channels(const struct source *source); /* of the recording */
unsigned source_width(const struct source *source);    /* of those, how many are read */
const char *source_codec(const struct source *source); /* static */

/* Reads up to n_frames frames into interleaved, which has room for [n_frames, channels] and gets
 * [n_frames, width]; fewer at the end (*ended), and where something cannot be decoded, which is
 * skipped and counted: see source_loss. One call is short, whatever the bytes are: of those that
 * give no sound it takes in a few at most. VP_ERR_AUDIO_SAMPLES: NaN, infinity, beyond
 * SOURCE_MAX_SAMPLE. VP_ERR_AUDIO_UNDECODABLE: too much without a sound, or too often. */
enum vp_status source_read(struct source *source, float *interleaved, size_t n_frames,
                           size_t *n_read, bool *ended, struct vp_err *err) VP_MUST_CHECK;

/* Of all samples read so far: the largest magnitude, and how many are at the codec's limit. */
float source_peak(const struct source *source);
uint64_t source_n_clipped(const struct source *source);

/* What is missing of a recording that was read to its end. */
struct loss {
    uint64_t n_frames;   /* of the recording, that are missing or could not be decoded */
    uint64_t n_expected; /* that there should be; 0: unknown */
    bool is_unknown;     /* the decoder failed, and nothing tells what that cost */
    bool changes;        /* another rate or number of channels began: nothing behind was read */
    unsigned remarks;    /* VP_WARN_LENGTH_MISMATCH, VP_WARN_DAMAGED */
    char reason[60];     /* the decoder's; empty where it has none */
};
void source_loss(const struct source *source, struct loss *out);

/* Share of the bytes that were taken in, 0..1: how far reading has come, roughly. */
double source_progress(const struct source *source);

#endif
