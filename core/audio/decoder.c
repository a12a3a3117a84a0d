/* The half of decoder.h that decodes: clips by audio.h, streams by intake.h. */
#include "decoder.h"

#include <stdlib.h>

#include "audio/audio.h"
#include "audio/ffmpeg_library.h"
#include "audio/intake.h"
#include "audio/sniff.h"

struct vp_stream {
    struct intake intake;
};

void vp_decoding_prepare(void)
{
    (void)ffmpeg_library(); /* where it is missing, recordings that need it say so */
}

bool vp_decode_capacity(const struct vp_limits *limits, size_t *n_samples)
{
    return audio_capacity(limits->max_duration_s, n_samples);
}

enum vp_status vp_decode_clip(const struct vp_recording *recording, const struct vp_limits *limits,
                              struct vp_samples *out, struct vp_clip_info *info, struct vp_err *err)
{
    struct audio_buffer buffer = {.samples = out->samples, .capacity = out->capacity};
    const struct vp_clip_options options = {.accept_damage = recording->accept_damage,
                                            .channel = recording->channel};
    const enum vp_status status =
        audio_decode(&buffer, limits, &options, recording->bytes, recording->n_bytes, info, err);
    out->n = buffer.n_samples;
    return status;
}

enum vp_status vp_stream_open(const struct vp_recording *recording,
                              const struct vp_stream_options *options, vp_stream **out,
                              struct vp_err *err)
{
    *out = NULL;
    struct container container;
    enum vp_status status =
        sniff_container((struct bytes){recording->bytes, recording->n_bytes}, &container, err);
    if (status != VP_OK)
        return status;
    container.accept_damage = recording->accept_damage;
    vp_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL)
        return status_no_memory(err, "a stream", sizeof *stream);
    status = options->knows_channel
                 ? intake_open_known(&stream->intake, &container, options->max_duration_s,
                                     options->channel, err)
                 : intake_open(&stream->intake, &container, options->max_duration_s,
                               options->channel, err);
    if (status == VP_OK)
        *out = stream;
    else
        vp_stream_close(stream);
    return status;
}

void vp_stream_close(vp_stream *stream)
{
    if (stream == NULL)
        return;
    intake_close(&stream->intake);
    free(stream);
}

unsigned vp_stream_channels(const vp_stream *stream)
{
    struct mono_facts facts;
    mono_facts(stream->intake.mono, &facts);
    return facts.channels;
}

enum vp_status vp_stream_read(vp_stream *stream, struct vp_samples *out, struct vp_block *block,
                              struct vp_err *err)
{
    struct intake *intake = &stream->intake;
    const enum vp_status status = intake_read(intake, out->samples, &out->n, &block->ended, err);
    block->channel = intake->channel;
    block->progress = intake_progress(intake);
    block->clip = intake->clip;
    return status;
}
