/*
 * Recordings that somebody else decodes (struct vp_decoder). Who that is may be in the hands of
 * whoever made the file, so what comes back is looked at: sizes, finite samples, plain names, a
 * length that goes with the samples. Any thread; one owner of decoder at a time.
 */
#ifndef VP_ELSEWHERE_H
#define VP_ELSEWHERE_H

#include "audio/container.h"
#include "decoder.h"

/* vp_decode_clip, elsewhere. Errors: the decoder's, VP_ERR_AUDIO_UNDECODABLE. */
enum vp_status elsewhere_clip(const struct vp_decoder *decoder,
                              const struct vp_recording *recording, const struct vp_limits *limits,
                              struct vp_samples *samples, struct vp_clip_info *info,
                              struct vp_err *err) VP_MUST_CHECK;

/* Stands for what decoder knows of recording, whose bytes are borrowed. */
void elsewhere_container(const struct vp_decoder *decoder, const struct vp_recording *recording,
                         struct container *out);
/* container: elsewhere_container's. *n_channels: of the recording. Errors: the decoder's,
 * VP_ERR_AUDIO_UNDECODABLE. */
enum vp_status elsewhere_open(const struct container *container,
                              const struct vp_stream_options *options, unsigned *n_channels,
                              struct vp_err *err) VP_MUST_CHECK;
/* To samples [MONO_BLOCK_SAMPLES], *n of them. Errors: the decoder's, VP_ERR_AUDIO_UNDECODABLE. */
enum vp_status elsewhere_read(const struct container *container, float *samples, size_t *n,
                              struct vp_block *block, struct vp_err *err) VP_MUST_CHECK;

#endif
