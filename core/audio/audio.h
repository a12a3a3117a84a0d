/*
 * Bytes of a recording -> mono 16 kHz float samples in a buffer of fixed capacity.
 *
 * The container is told by its magic against an allow-list before libsndfile sees the bytes;
 * lengths in headers are never believed: blocks are read until the cap. Any thread; one owner of
 * the buffer at a time.
 */
#ifndef VP_AUDIO_H
#define VP_AUDIO_H

#include "audio/mono.h"
#include "audio/quality.h"
#include "base/cancel.h"
#include "base/status.h"

/* Samples of one clip. The memory is the owner's; audio_decode writes and never grows it. */
struct audio_buffer {
    float *samples;       /* borrowed, 16 kHz mono, full scale is 1.0 */
    size_t capacity;      /* samples that fit: max_duration_s at 16 kHz, and the resampler's tail */
    size_t n_samples;     /* of the clip at hand; 0 when there is none */
    struct cancel cancel; /* asked at each block */
};

/* Samples of capacity that clips up to max_duration_s need. False on overflow or nonsense. */
bool audio_capacity(double max_duration_s, size_t *n_samples) VP_MUST_CHECK;

/* Decodes into *buffer as *options say and judges the clip by *limits. On error buffer->n_samples
 * is 0. Errors: every VP_ERR_AUDIO_*, VP_ERR_NO_MEMORY, VP_ERR_CANCELLED. */
enum vp_status audio_decode(struct audio_buffer *buffer, const struct vp_limits *limits,
                            const struct vp_clip_options *options, const void *bytes,
                            size_t n_bytes, struct vp_clip_info *info,
                            struct vp_err *err) VP_MUST_CHECK;

/* Copies ready samples (16 kHz mono) into *buffer under the same checks. */
enum vp_status audio_set_samples(struct audio_buffer *buffer, const struct vp_limits *limits,
                                 const float *samples, size_t n_samples, struct vp_clip_info *info,
                                 struct vp_err *err) VP_MUST_CHECK;

/* ---- what a clip and a stream have in common ------------------------------------------------- */

/* Format, length, peak and clipping, as the decoder found them. */
void audio_describe(const struct container *container, const struct mono_facts *facts,
                    struct vp_clip_info *info);
/* The warnings that follow from levels: info's own and quality's. */
unsigned audio_level_warnings(const struct vp_clip_info *info, const struct quality *quality);
/* Is so much of the recording missing that it must have been cut or spoilt on its way? `loss` as
 * mono_facts has it at the end, or before the first block what the container alone tells.
 * VP_ERR_AUDIO_UNDECODABLE, unless container accepts damage. */
enum vp_status audio_judge_loss(const struct container *container, const struct loss *loss,
                                unsigned rate_hz, struct vp_err *err) VP_MUST_CHECK;
/* VP_ERR_AUDIO_TOO_LONG; where the header says how far the recording goes on, so does the error. */
enum vp_status audio_too_long(const struct container *container, const struct mono_facts *facts,
                              double limit_s, struct vp_err *err);

#endif
