/* Channels first, then blocks, then the facts. */
#include "audio/intake.h"

#include <math.h>

#include "audio/audio.h"
#include "audio/elsewhere.h"

#define PROBE_S 300.0 /* of a recording of several channels, to hear whether they cancel */

static enum vp_status open_stream(struct intake *intake, double max_duration_s, struct vp_err *err)
{
    if (intake->container.decoder != NULL) {
        const struct vp_stream_options options = {.max_duration_s = max_duration_s,
                                                  .knows_channel = !intake->probing,
                                                  .channel = intake->channel};
        unsigned n_channels;
        return elsewhere_open(&intake->container, &options, &n_channels, err);
    }
    mono_close(intake->mono);
    return mono_open(&intake->container, intake->channel, max_duration_s, &intake->mono, err);
}

enum vp_status intake_open(struct intake *intake, const struct container *container,
                           double max_duration_s, unsigned channel, struct vp_err *err)
{
    *intake = (struct intake){.container = *container,
                              .max_duration_s = max_duration_s,
                              .probing = true,
                              .channel = channel};
    if (container->decoder == NULL) /* else whoever decodes it probes it */
        max_duration_s = fmin(max_duration_s, PROBE_S);
    return open_stream(intake, max_duration_s, err);
}

enum vp_status intake_open_known(struct intake *intake, const struct container *container,
                                 double max_duration_s, unsigned channel, struct vp_err *err)
{
    *intake = (struct intake){
        .container = *container, .max_duration_s = max_duration_s, .channel = channel};
    return open_stream(intake, max_duration_s, err);
}

void intake_close(struct intake *intake)
{
    mono_close(intake->mono);
    intake->mono = NULL;
}

/* What the container alone tells to be missing, so that nobody waits an hour for a refusal. */
static enum vp_status judge_beginning(const struct intake *intake, unsigned rate_hz,
                                      struct vp_err *err)
{
    const struct loss loss = {.n_frames = intake->container.n_lost,
                              .n_expected = intake->container.n_frames};
    const unsigned lost_rate_hz = intake->container.lost_rate_hz;
    return audio_judge_loss(&intake->container, &loss, lost_rate_hz != 0 ? lost_rate_hz : rate_hz,
                            err);
}

/* A block for no other end than to learn whether the channels cancel; one alone needs none. */
static enum vp_status probe(struct intake *intake, float *samples, struct vp_err *err)
{
    size_t n;
    bool ended = false;
    struct mono_facts facts;
    mono_facts(intake->mono, &facts);
    const bool mixes = intake->channel == VP_CHANNEL_MIX && facts.channels > 1;
    enum vp_status status = VP_OK;
    if (mixes)
        status = mono_read(intake->mono, samples, MONO_BLOCK_SAMPLES, &n, &ended, err);
    if (status != VP_OK || (mixes && !ended))
        return status;
    mono_facts(intake->mono, &facts);
    unsigned loudest;
    const bool lost = mono_lost(&facts, &loudest);
    if (mono_differs(&facts))
        intake->clip.warnings |= VP_WARN_CHANNELS_DIFFER;
    intake->probing = false;
    /* what the header promises need not be read in vain */
    if ((double)intake->container.n_frames / facts.rate_hz > intake->max_duration_s)
        return audio_too_long(&intake->container, &facts, intake->max_duration_s, err);
    status = judge_beginning(intake, facts.rate_hz, err);
    if (status != VP_OK)
        return status;
    if (lost)
        intake->channel = loudest;
    return open_stream(intake, intake->max_duration_s, err);
}

/* The recording is over: how long it was, and how loud. */
static enum vp_status conclude(struct intake *intake, struct vp_err *err)
{
    struct mono_facts facts;
    mono_facts(intake->mono, &facts);
    if (facts.more)
        return audio_too_long(&intake->container, &facts, intake->max_duration_s, err);
    const enum vp_status status =
        audio_judge_loss(&intake->container, &facts.loss, facts.rate_hz, err);
    if (status != VP_OK)
        return status;
    if (facts.n_frames == 0)
        return status_fail(err, VP_ERR_AUDIO_UNDECODABLE, "the recording holds no samples");
    audio_describe(&intake->container, &facts, &intake->clip);
    levels_fill(&intake->levels, &facts, &intake->clip);
    return VP_OK;
}

static enum vp_status read_elsewhere(struct intake *intake, float *samples, size_t *n, bool *ended,
                                     struct vp_err *err)
{
    struct vp_block block;
    const enum vp_status status = elsewhere_read(&intake->container, samples, n, &block, err);
    if (status != VP_OK)
        return status;
    intake->channel = block.channel;
    intake->progress = block.progress;
    intake->clip = block.clip;
    *ended = block.ended;
    return VP_OK;
}

enum vp_status intake_read(struct intake *intake, float *samples, size_t *n, bool *ended,
                           struct vp_err *err)
{
    *n = 0;
    *ended = false;
    if (intake->container.decoder != NULL)
        return read_elsewhere(intake, samples, n, ended, err);
    if (intake->probing)
        return probe(intake, samples, err);
    const enum vp_status status =
        mono_read(intake->mono, samples, MONO_BLOCK_SAMPLES, n, ended, err);
    if (status != VP_OK)
        return status;
    levels_add(&intake->levels, samples, *n);
    return *ended ? conclude(intake, err) : VP_OK;
}

double intake_progress(const struct intake *intake)
{
    if (intake->container.decoder != NULL)
        return intake->progress;
    /* Memory may have been short for the second stream. */
    const bool has_stream = intake->mono != NULL;
    return intake->probing || !has_stream ? 0.0 : mono_progress(intake->mono);
}
