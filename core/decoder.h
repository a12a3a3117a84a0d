/*
 * Decoding apart from everything else: for callers who let another process, which can do nothing
 * but that, turn the bytes of recordings into samples.
 *
 * A public header of libvoiceprint; the conventions of voiceprint.h hold here too. Two halves. The
 * process that decodes calls the functions; the one that uses the samples hands a table of
 * functions, which ask the other, to vp_clip_decode and vp_diarization_new in their options. What
 * comes back by that table is not believed: numbers that cannot be are VP_ERR_AUDIO_UNDECODABLE.
 */
#ifndef VP_DECODER_H
#define VP_DECODER_H

#include "voiceprint.h"

/* ---- what both halves say ------------------------------------------------------------------- */

/* A file's bytes. */
struct vp_recording {
    const void *bytes; /* borrowed */
    size_t n_bytes;
    bool accept_damage; /* as in struct vp_clip_options, as is the next */
    unsigned channel;   /* of a clip; a stream's is among its options */
};

/* Room for samples of 16 kHz mono. */
struct vp_samples {
    float *samples; /* borrowed */
    size_t capacity;
    size_t n; /* that are there */
};

/* How a recording is read block by block. */
struct vp_stream_options {
    double max_duration_s; /* longer is VP_ERR_AUDIO_TOO_LONG; INFINITY: no limit */
    unsigned channel;      /* as in struct vp_clip_options, unless the next says more */
    bool knows_channel;    /* it was read before, and channel was its vp_block.channel */
};

/* A block of a stream beside its samples. */
struct vp_block {
    bool ended;               /* nothing comes after it */
    unsigned channel;         /* that is heard, or VP_CHANNEL_MIX; final once a block had samples */
    double progress;          /* 0..1 of the bytes */
    struct vp_clip_info clip; /* complete once ended, but for n_frames and speech_s */
};

#define VP_BLOCK_SAMPLES 8192u /* of one block at most */

/* ---- the half that decodes ------------------------------------------------------------------ */

/* Loads now what is otherwise loaded when a recording first needs it. [before the process is shut
 * off from files] */
void vp_decoding_prepare(void);

/* What vp_clip_decode does, into *out. Errors: the same, but VP_ERR_CANCELLED. */
enum vp_status vp_decode_clip(const struct vp_recording *recording, const struct vp_limits *limits,
                              struct vp_samples *out, struct vp_clip_info *info,
                              struct vp_err *err) VP_MUST_CHECK;

/* Samples that a clip needs room for under limits; false: max_duration_s is no length. */
bool vp_decode_capacity(const struct vp_limits *limits, size_t *n_samples) VP_MUST_CHECK;

typedef struct vp_stream vp_stream;

/* Borrows the recording's bytes until closed. Returns owned *out (vp_stream_close), NULL on error:
 * VP_ERR_AUDIO_*, VP_ERR_NO_MEMORY. */
enum vp_status vp_stream_open(const struct vp_recording *recording,
                              const struct vp_stream_options *options, vp_stream **out,
                              struct vp_err *err) VP_MUST_CHECK;
void vp_stream_close(vp_stream *stream);              /* takes; NULL is legal */
unsigned vp_stream_channels(const vp_stream *stream); /* of the recording */
/* The next block, possibly of no samples; out holds VP_BLOCK_SAMPLES or more. Errors as for
 * vp_diarization_step. */
enum vp_status vp_stream_read(vp_stream *stream, struct vp_samples *out, struct vp_block *block,
                              struct vp_err *err) VP_MUST_CHECK;

/* ---- the half that uses the samples --------------------------------------------------------- */

/* Who decodes in our place. Each function is that of its name above, with ctx; one recording is
 * read at a time, and opening it anew ends the reading before. open gives vp_stream_channels, too.
 * clip and open may give up the memory of the bytes they were lent, which then read as anything. */
struct vp_decoder {
    enum vp_status (*clip)(void *ctx, const struct vp_recording *recording,
                           const struct vp_limits *limits, struct vp_samples *out,
                           struct vp_clip_info *info, struct vp_err *err);
    enum vp_status (*open)(void *ctx, const struct vp_recording *recording,
                           const struct vp_stream_options *options, unsigned *n_channels,
                           struct vp_err *err);
    enum vp_status (*read)(void *ctx, struct vp_samples *out, struct vp_block *block,
                           struct vp_err *err);
    void *ctx; /* borrowed */
};

#endif
