/* Asked, then looked at. */
#include "audio/elsewhere.h"

#include <math.h>

#include "audio/mono.h"
#include "base/constants.h"
#include "features/fbank.h"

_Static_assert(VP_BLOCK_SAMPLES == MONO_BLOCK_SAMPLES, "a block is a block");

/* A resampler's length is rounded, and a limit may lie between two samples. */
#define MOST_APART 16.0
/* Beyond what source.h lets in, by what a resampler overshoots. */
#define MOST_SAMPLE (4.0F * SOURCE_MAX_SAMPLE)

static enum vp_status refuse(struct vp_err *err)
{
    return status_fail(err, VP_ERR_AUDIO_UNDECODABLE,
                       "what decoded this recording gave an answer that cannot be");
}

static bool are_sane_samples(const struct vp_samples *samples)
{
    if (samples->n > samples->capacity)
        return false;
    bool are_sane = true;
    for (size_t i = 0; i < samples->n; i++) /* a NaN compares with nothing */
        are_sane = are_sane & (fabsf(samples->samples[i]) <= MOST_SAMPLE);
    return are_sane;
}

/* Of the letters of names; what follows the zero is cleared, so that no byte of it gets out. */
static bool is_sane_name(char *name)
{
    size_t n = 0;
    for (; n < VP_NAME_CHARS && name[n] != 0; n++)
        if (!((name[n] >= 'a' && name[n] <= 'z') || (name[n] >= '0' && name[n] <= '9') ||
              name[n] == '_' || name[n] == '-'))
            return false;
    for (size_t i = n; i < VP_NAME_CHARS; i++)
        name[i] = 0;
    return n > 0 && n < VP_NAME_CHARS;
}

static bool is_level(double dbfs)
{
    return dbfs >= -1000.0 && dbfs <= 1000.0;
}

/* n_samples: that were heard of the recording. */
static bool is_sane_info(struct vp_clip_info *info, uint64_t n_samples)
{
    const double heard_s = (double)n_samples / SAMPLE_RATE_HZ;
    return is_sane_name(info->container) && is_sane_name(info->codec) &&
           info->sample_rate_hz >= SOURCE_MIN_RATE_HZ &&
           info->sample_rate_hz <= SOURCE_MAX_RATE_HZ && info->channels >= 1 &&
           info->channels <= SOURCE_MAX_CHANNELS &&
           fabs(info->used_s - heard_s) <= MOST_APART / SAMPLE_RATE_HZ &&
           info->duration_s >= info->used_s && info->duration_s <= info->used_s + 1.0 &&
           info->speech_s >= 0.0 && info->speech_s <= heard_s + 1.0 && is_level(info->rms_dbfs) &&
           is_level(info->peak_dbfs) && info->clipped_ratio >= 0.0 && info->clipped_ratio <= 1.0;
}

enum vp_status elsewhere_clip(const struct vp_decoder *decoder,
                              const struct vp_recording *recording, const struct vp_limits *limits,
                              struct vp_samples *samples, struct vp_clip_info *info,
                              struct vp_err *err)
{
    const enum vp_status status =
        decoder->clip(decoder->ctx, recording, limits, samples, info, err);
    if (status != VP_OK)
        return status;
    if (!are_sane_samples(samples) || !is_sane_info(info, samples->n) ||
        info->used_s < limits->min_duration_s)
        return refuse(err);
    info->n_samples = samples->n;
    info->n_frames = fbank_n_frames(samples->n);
    info->embedded_s = info->used_s;
    info->warnings &= (1u << VP_N_WARNINGS) - 1u;
    return VP_OK;
}

void elsewhere_container(const struct vp_decoder *decoder, const struct vp_recording *recording,
                         struct container *out)
{
    *out = (struct container){
        .decoder = decoder,
        .data = {recording->bytes, recording->n_bytes},
        .accept_damage = recording->accept_damage,
    };
}

enum vp_status elsewhere_open(const struct container *container,
                              const struct vp_stream_options *options, unsigned *n_channels,
                              struct vp_err *err)
{
    const struct vp_recording recording = {.bytes = container->data.at,
                                           .n_bytes = container->data.n,
                                           .accept_damage = container->accept_damage};
    *n_channels = 0;
    const enum vp_status status =
        container->decoder->open(container->decoder->ctx, &recording, options, n_channels, err);
    if (status == VP_OK && (*n_channels < 1 || *n_channels > SOURCE_MAX_CHANNELS))
        return refuse(err);
    return status;
}

enum vp_status elsewhere_read(const struct container *container, float *samples, size_t *n,
                              struct vp_block *block, struct vp_err *err)
{
    struct vp_samples room = {samples, MONO_BLOCK_SAMPLES, 0};
    const enum vp_status status =
        container->decoder->read(container->decoder->ctx, &room, block, err);
    *n = 0;
    if (status != VP_OK)
        return status;
    if (!are_sane_samples(&room) || block->channel > SOURCE_MAX_CHANNELS ||
        !(block->progress >= 0.0 && block->progress <= 1.0) ||
        (block->ended && !is_sane_info(&block->clip, block->clip.n_samples)))
        return refuse(err);
    block->clip.warnings &= (1u << VP_N_WARNINGS) - 1u;
    *n = room.n;
    return VP_OK;
}
