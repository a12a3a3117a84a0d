/* One clip through a scratch: bytes -> samples -> features -> embedding; clip_speech.c listens for
 * speech on the way. */
#include "voice/scratch.h"

#include "voice/clip_speech.h"
#include "voice/score.h"

static void forget_clip(vp_scratch *scratch)
{
    scratch_check(scratch);
    scratch->step = SCRATCH_EMPTY;
    scratch->audio.n_samples = 0;
    scratch->n_frames = 0;
    scratch->leaves_out = false;
}

enum vp_status vp_clip_decode(vp_scratch *scratch, const struct vp_clip_options *options,
                              const void *bytes, size_t n_bytes, struct vp_clip_info *info,
                              struct vp_err *err)
{
    static const struct vp_clip_options defaults = {.channel = VP_CHANNEL_MIX};
    forget_clip(scratch);
    enum vp_status status =
        audio_decode(&scratch->audio, &scratch->limits, options != NULL ? options : &defaults,
                     bytes, n_bytes, info, err);
    if (status == VP_OK)
        scratch->step = SCRATCH_SAMPLES;
    return status;
}

enum vp_status vp_clip_set_samples(vp_scratch *scratch, const float *samples, size_t n_samples,
                                   struct vp_clip_info *info, struct vp_err *err)
{
    forget_clip(scratch);
    enum vp_status status =
        audio_set_samples(&scratch->audio, &scratch->limits, samples, n_samples, info, err);
    if (status == VP_OK)
        scratch->step = SCRATCH_SAMPLES;
    return status;
}

const float *vp_clip_samples(const vp_scratch *scratch, size_t *n_samples)
{
    scratch_check(scratch);
    *n_samples = scratch->audio.n_samples;
    return scratch->step == SCRATCH_EMPTY ? NULL : scratch->audio.samples;
}

enum vp_status vp_clip_fbank(vp_scratch *scratch, const float **features, size_t *n_frames,
                             struct vp_err *err)
{
    scratch_check(scratch);
    if (scratch->step == SCRATCH_EMPTY)
        return status_fail(err, VP_ERR_ARGUMENT, "no clip: vp_clip_decode comes first");
    /* [n_samples] -> [n_frames, n_mels] */
    if (scratch->step != SCRATCH_LOG_MEL)
        scratch->n_frames = fbank_log_mel(scratch->fbank, scratch->audio.samples,
                                          scratch->audio.n_samples, scratch->features);
    if (scratch->leaves_out)
        clip_keep_speech(scratch);
    if (scratch->n_frames > 0)
        fbank_subtract_mean(scratch->fbank, scratch->features, scratch->n_frames);
    scratch->step = SCRATCH_FEATURES;
    if (features != NULL)
        *features = scratch->features;
    if (n_frames != NULL)
        *n_frames = scratch->n_frames;
    return VP_OK;
}

enum vp_status vp_clip_embed(vp_scratch *scratch, float *embedding, double *norm,
                             struct vp_err *err)
{
    return vp_clip_embed_tapped(scratch, NULL, NULL, embedding, norm, err);
}

enum vp_status vp_clip_embed_tapped(vp_scratch *scratch, vp_tap tap, void *ctx, float *embedding,
                                    double *norm, struct vp_err *err)
{
    scratch_check(scratch);
    if (scratch->step != SCRATCH_FEATURES)
        return status_fail(err, VP_ERR_ARGUMENT, "no features: vp_clip_fbank comes first");
    /* [n_frames, n_mels] -> [dim] */
    enum vp_status status = network_forward(scratch->state, scratch->features, scratch->n_frames,
                                            embedding, tap, ctx, err);
    if (status != VP_OK)
        return status;
    return score_judge(embedding, scratch->model->info.dim, norm, err);
}

void vp_scratch_watch(vp_scratch *scratch, bool (*is_cancelled)(void *ctx), void *ctx)
{
    scratch_check(scratch);
    const struct cancel cancel = {.is_cancelled = is_cancelled, .ctx = ctx};
    scratch->audio.cancel = cancel;
    network_watch(scratch->state, cancel);
}

void vp_clip_help(vp_scratch *scratch, bool (*leave)(void *ctx), void *ctx)
{
    scratch_check(scratch);
    network_help(scratch->state, leave, ctx);
}

const char *vp_warning_name(unsigned i)
{
    static const char *const names[VP_N_WARNINGS] = {
        "short_clip",        "low_speech",      "low_level", "clipping",
        "narrowband_source", "channels_differ", "truncated", "content_type_guessed",
        "dc_offset",         "length_mismatch", "damaged",   "no_speech",
    };
    return i < VP_N_WARNINGS ? names[i] : "unknown";
}
