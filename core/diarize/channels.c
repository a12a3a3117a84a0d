/* Turns and voices of all channels in one list; then the answer is made of them as of any. */
#include "diarize/channels.h"

#include <math.h>

#include "audio/elsewhere.h"
#include "audio/source.h"
#include "base/status.h"

enum vp_status channels_count(struct channels *channels, const struct container *container,
                              struct vp_err *err)
{
    if (container->decoder != NULL) {
        const struct vp_stream_options options = {.max_duration_s = INFINITY};
        return elsewhere_open(container, &options, &channels->n, err);
    }
    struct source *source;
    const enum vp_status status = source_open(container, VP_CHANNEL_MIX, &source, err);
    if (status == VP_OK)
        channels->n = source_channels(source);
    source_close(source);
    return status;
}

void channels_take(struct channels *channels, struct answer *answer)
{
    const struct vp_diarization_result *result = &answer->result;
    channels->heard_s += result->duration_s;
    channels->of_channel[channels->n_done++] = *answer;
    *answer = (struct answer){.result = {.engine = result->engine, .threshold = result->threshold}};
}

void channels_clear(struct channels *channels)
{
    for (unsigned c = 0; c < channels->n_done; c++)
        answer_clear(&channels->of_channel[c]);
    *channels = (struct channels){0};
}

/* Format and length are the recording's; the level is that of its loudest channel. */
static struct vp_clip_info clip_of(const struct channels *channels)
{
    struct vp_clip_info clip = channels->of_channel[0].result.clip;
    for (unsigned c = 1; c < channels->n; c++) {
        const struct vp_clip_info *other = &channels->of_channel[c].result.clip;
        clip.rms_dbfs = fmax(clip.rms_dbfs, other->rms_dbfs);
        clip.peak_dbfs = fmax(clip.peak_dbfs, other->peak_dbfs);
        clip.clipped_ratio = fmax(clip.clipped_ratio, other->clipped_ratio);
        clip.warnings |= other->warnings;
    }
    return clip;
}

/* What is remarked of one channel is of all; but a channel in which nobody speaks is no remark
 * while somebody speaks in another, unless speakers were asked for. */
static unsigned remarks(const struct channels *channels, const struct vp_diarize_options *options)
{
    const bool asked = options->num_speakers > 0 || options->min_speakers > 0;
    unsigned warnings = 0, n_silent = 0;
    for (unsigned c = 0; c < channels->n; c++) {
        warnings |= channels->of_channel[c].result.warnings;
        n_silent += channels->of_channel[c].result.n_segments == 0;
    }
    if (n_silent == channels->n || n_silent == 0)
        return warnings;
    warnings &= ~(unsigned)VP_DIARIZE_WARN_NO_SPEECH;
    return warnings | (asked ? (unsigned)VP_DIARIZE_WARN_FEWER_SPEAKERS : 0U);
}

/* Turns and voices of one channel behind those that are there. */
static enum vp_status add(const struct answer *answer, struct turns *turns,
                          struct answer_voice *voices, size_t *n_voices, struct vp_err *err)
{
    const struct vp_diarization_result *result = &answer->result;
    enum vp_status status = VP_OK;
    for (size_t i = 0; i < result->n_segments && status == VP_OK; i++) {
        struct vp_turn turn = result->segments[i];
        turn.speaker += (unsigned)*n_voices;
        status = turns_add(turns, &turn, err);
    }
    for (size_t s = 0; s < result->n_speakers; s++)
        voices[(*n_voices)++] = (struct answer_voice){
            .embedding = result->speakers[s].embedding,
            .coherence = result->speakers[s].coherence,
            .channel = result->speakers[s].channel,
        };
    return status;
}

enum vp_status channels_join(const struct channels *channels,
                             const struct vp_diarize_options *options, size_t dim,
                             struct answer *answer, struct vp_err *err)
{
    struct answer_voice voices[TURNS_MAX_SPEAKERS];
    struct turns turns = {0};
    size_t n_voices = 0;
    enum vp_status status = VP_OK;
    struct vp_diarize_options as_they_are = *options; /* each channel's turns are clean already */
    as_they_are.min_on_s = as_they_are.min_off_s = 0.0;
    answer->result.clip = clip_of(channels);
    bool all_honoured = true;
    for (unsigned c = 0; c < channels->n && status == VP_OK; c++) {
        all_honoured = all_honoured && channels->of_channel[c].result.num_speakers_given;
        status = add(&channels->of_channel[c], &turns, voices, &n_voices, err);
    }
    if (status == VP_OK)
        status = answer_make(answer, &as_they_are, &turns, voices, n_voices, dim, err);
    turns_clear(&turns);
    answer->result.num_speakers_given = all_honoured;
    answer->result.warnings = remarks(channels, options);
    return status;
}

void channels_explain(const struct channels *channels, struct vp_err *err)
{
    if (channels->n < 2 || err->status != VP_ERR_AUDIO_TOO_LONG)
        return;
    const double value = err->value * channels->n, limit = err->limit * channels->n;
    (void)status_fail_limit(err, VP_ERR_AUDIO_TOO_LONG, value, limit,
                            "the %u channels of the recording are longer than %g s together, which "
                            "is how channel=split counts; send a shorter part of it",
                            channels->n, limit);
}
