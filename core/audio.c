/*
 * Bytes of a recording -> mono 16 kHz samples: container, source, one channel, resampler, checks.
 *
 * Nothing is sized from a header. Blocks of fixed size go from the decoder through the resampler
 * into the caller's buffer, until the recording ends or its limit is reached.
 */
#include "audio.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "container.h"
#include "fbank.h"
#include "lanes.h"
#include "quality.h"
#include "resample.h"
#include "source.h"

#define BLOCK_FRAMES 4096u
#define SPARE        16u /* samples beyond the limit: the resampler rounds its length */

#define MEAN_OF_CHANNELS (-1)
/* A mean with less than this share of the loudest channel's power has lost the voice: channels in
 * opposite phase, or one voice among five silent channels. */
#define LOST_SHARE 0.1
/* Channels that agree give a mean with the power of each; two different ones give half of it. */
#define DIFFER_SHARE 0.7

/* Where the remarks begin. */
#define LOW_LEVEL_DBFS (-45.0)
#define LOW_SPEECH_S   1.0
#define CLIPPED_RATIO  0.001 /* one sample in a thousand */
#define OFFSET_LEAST   0.01  /* of full scale */
/* Of 274 clips, 35 of 36 from 8 kHz sources lie below, 235 of 238 others above. */
#define NARROWBAND_DB (-42.0)

/* What one pass over the recording found. */
struct pass {
    unsigned rate_hz, channels;
    uint64_t n_frames; /* of the recording, as far as it was read */
    bool more;         /* the recording goes on beyond the limit */
    float peak;
    double clipped_ratio;
    double power[SOURCE_MAX_CHANNELS], mix_power; /* without the offset */
};

/* Sums for the power of one channel around its mean. */
struct moments {
    double sum, squares;
};

struct decoder {
    struct source *source;
    struct resampler *resampler;
    int channel; /* or MEAN_OF_CHANNELS */
    struct moments of_channel[SOURCE_MAX_CHANNELS], of_mix;
    float interleaved[BLOCK_FRAMES * SOURCE_MAX_CHANNELS];
    float mono[BLOCK_FRAMES];
};

bool audio_capacity(double max_duration_s, size_t *n_samples)
{
    if (!(max_duration_s > 0.0) || max_duration_s > 86400.0) /* a day, so that nothing overflows */
        return false;
    *n_samples = (size_t)ceil(max_duration_s * AUDIO_RATE_HZ) + SPARE;
    return true;
}

/* ---- one channel out of many ---------------------------------------------------------------- */

/* interleaved [n, channels] into moments [channels]; four numbers at a time where channels come
 * round within a vector: one sum alone waits for itself at every sample. */
static void add_moments(struct moments *moments, const float *interleaved, size_t n,
                        size_t channels)
{
    const size_t n_samples = n * channels;
    size_t i = 0;
    if (N_LANES % channels == 0) {
        wide_lanes sum[2] = {{0.0}, {0.0}}, squares[2] = {{0.0}, {0.0}};
        for (; i + N_LANES <= n_samples; i += N_LANES) {
            const lanes x = lanes_load(interleaved + i);
            const wide_lanes low = {(double)x[0], (double)x[1]},
                             high = {(double)x[2], (double)x[3]};
            sum[0] += low;
            sum[1] += high;
            squares[0] += low * low;
            squares[1] += high * high;
        }
        for (size_t k = 0; k < N_LANES; k++) {
            moments[k % channels].sum += sum[k / 2][k % 2];
            moments[k % channels].squares += squares[k / 2][k % 2];
        }
    }
    for (size_t c = 0; i < n_samples; i++, c = c + 1 < channels ? c + 1 : 0) {
        const double x = (double)interleaved[i];
        moments[c].sum += x;
        moments[c].squares += x * x;
    }
}

static double power_of(const struct moments *moments, uint64_t n)
{
    const double mean = moments->sum / (double)n;
    return fmax(0.0, moments->squares / (double)n - mean * mean);
}

/* interleaved [n, channels], two channels or more -> mono [n] */
static void mix(struct decoder *decoder, size_t n, unsigned channels)
{
    const float *interleaved = decoder->interleaved;
    float *mono = decoder->mono;
    if (decoder->channel != MEAN_OF_CHANNELS) {
        for (size_t i = 0; i < n; i++)
            mono[i] = interleaved[i * channels + (size_t)decoder->channel];
        return;
    }
    const float share = 1.0F / (float)channels;
    for (size_t i = 0; i < n; i++)
        mono[i] = interleaved[i * channels] + interleaved[i * channels + 1];
    for (size_t c = 2; c < channels; c++)
        for (size_t i = 0; i < n; i++)
            mono[i] += interleaved[i * channels + c];
    for (size_t i = 0; i < n; i++)
        mono[i] *= share;
    add_moments(decoder->of_channel, interleaved, n, channels);
    add_moments(&decoder->of_mix, mono, n, 1);
}

/* ---- one pass: decode, mix, resample -------------------------------------------------------- */

/* Reads a block and returns its mono samples, borrowed; one channel needs no mixing. */
static enum vp_status read_block(struct decoder *decoder, size_t n_wanted, size_t *n_read,
                                 const float **mono, struct vp_err *err)
{
    enum vp_status status =
        source_read(decoder->source, decoder->interleaved, n_wanted, n_read, err);
    if (status != VP_OK)
        return status;
    const unsigned channels = source_channels(decoder->source);
    *mono = decoder->interleaved;
    if (channels > 1) {
        mix(decoder, *n_read, channels);
        *mono = decoder->mono;
    }
    return VP_OK;
}

/* mono [n], or NULL for the tail, through the resampler to the end of buffer. */
static enum vp_status push(struct decoder *decoder, struct audio_buffer *buffer, const float *mono,
                           size_t n, struct vp_err *err)
{
    size_t n_out;
    enum vp_status status =
        resampler_push(decoder->resampler, mono, n, buffer->samples + buffer->n_samples,
                       buffer->capacity - buffer->n_samples, &n_out, err);
    buffer->n_samples += n_out;
    return status;
}

/* All blocks up to max_frames, into buffer. At the limit one frame more is asked for, which tells
 * whether the recording goes on. */
static enum vp_status run_pass(struct decoder *decoder, uint64_t max_frames,
                               struct audio_buffer *buffer, struct pass *pass, struct vp_err *err)
{
    size_t n_wanted, n_read;
    do {
        const uint64_t room = max_frames - pass->n_frames;
        n_wanted = room == 0 ? 1 : room < BLOCK_FRAMES ? (size_t)room : BLOCK_FRAMES;
        const float *mono;
        enum vp_status status = read_block(decoder, n_wanted, &n_read, &mono, err);
        if (status == VP_OK && room == 0) {
            pass->more = n_read > 0;
            break;
        }
        if (status == VP_OK)
            status = push(decoder, buffer, mono, n_read, err);
        if (status != VP_OK)
            return status;
        pass->n_frames += n_read;
    } while (n_read == n_wanted);
    return push(decoder, buffer, NULL, 0, err);
}

static enum vp_status decode_pass(const struct container *container, double max_duration_s,
                                  int channel, struct audio_buffer *buffer, struct pass *pass,
                                  struct vp_err *err)
{
    memset(pass, 0, sizeof *pass);
    buffer->n_samples = 0;
    struct decoder *decoder = calloc(1, sizeof *decoder);
    if (decoder == NULL)
        return status_no_memory(err, "a decoder", sizeof *decoder);
    decoder->channel = channel;
    enum vp_status status = source_open(container, &decoder->source, err);
    if (status != VP_OK)
        goto out;
    pass->rate_hz = source_rate_hz(decoder->source);
    pass->channels = source_channels(decoder->source);
    status = resampler_new(pass->rate_hz, &decoder->resampler, err);
    if (status != VP_OK)
        goto out;
    /* a hair more than the product, lest a length of exactly the limit be rounded down */
    const uint64_t max_frames = (uint64_t)(max_duration_s * pass->rate_hz + 1e-3);
    status = run_pass(decoder, max_frames, buffer, pass, err);
    if (status != VP_OK)
        goto out;
    pass->peak = source_peak(decoder->source);
    if (pass->n_frames > 0) {
        pass->clipped_ratio =
            (double)source_n_clipped(decoder->source) / ((double)pass->n_frames * pass->channels);
        for (size_t c = 0; c < pass->channels; c++)
            pass->power[c] = power_of(&decoder->of_channel[c], pass->n_frames);
        pass->mix_power = power_of(&decoder->of_mix, pass->n_frames);
    }
out:
    source_close(decoder->source);
    resampler_free(decoder->resampler);
    free(decoder);
    return status;
}

/* Decodes with the mean of the channels; where they cancel, again with the loudest one. */
static enum vp_status decode_mono(const struct container *container, double max_duration_s,
                                  struct audio_buffer *buffer, struct pass *pass, bool *differ,
                                  struct vp_err *err)
{
    *differ = false;
    enum vp_status status =
        decode_pass(container, max_duration_s, MEAN_OF_CHANNELS, buffer, pass, err);
    if (status != VP_OK || pass->channels < 2)
        return status;
    int loudest = 0;
    double mean_power = 0.0;
    for (unsigned c = 0; c < pass->channels; c++) {
        mean_power += pass->power[c] / pass->channels;
        if (pass->power[c] > pass->power[loudest])
            loudest = (int)c;
    }
    *differ = pass->mix_power < DIFFER_SHARE * mean_power;
    if (pass->mix_power < LOST_SHARE * pass->power[loudest])
        status = decode_pass(container, max_duration_s, loudest, buffer, pass, err);
    return status;
}

/* ---- judging -------------------------------------------------------------------------------- */

static unsigned remarks(const struct vp_limits *limits, const struct vp_clip_info *info,
                        const struct quality *quality)
{
    const double rms = pow(10.0, info->rms_dbfs / 20.0);
    unsigned warnings = 0;
    if (info->used_s < limits->warn_duration_s)
        warnings |= VP_WARN_SHORT_CLIP;
    if (info->speech_s < LOW_SPEECH_S)
        warnings |= VP_WARN_LOW_SPEECH;
    if (info->rms_dbfs < LOW_LEVEL_DBFS)
        warnings |= VP_WARN_LOW_LEVEL;
    if (info->clipped_ratio > CLIPPED_RATIO)
        warnings |= VP_WARN_CLIPPING;
    if (info->sample_rate_hz < AUDIO_RATE_HZ || quality->high_band_db < NARROWBAND_DB)
        warnings |= VP_WARN_NARROWBAND_SOURCE;
    if (fabs(quality->offset) > fmax(OFFSET_LEAST, rms / 2.0))
        warnings |= VP_WARN_DC_OFFSET;
    return warnings;
}

/* Length and level of what lies in buffer; completes info, which has format and duration. */
static enum vp_status judge(const struct audio_buffer *buffer, const struct vp_limits *limits,
                            struct vp_clip_info *info, struct vp_err *err)
{
    if (buffer->n_samples == 0)
        return status_fail(err, VP_ERR_AUDIO_UNDECODABLE, "the recording holds no samples");
    if (info->used_s < limits->min_duration_s)
        return status_fail_limit(err, VP_ERR_AUDIO_TOO_SHORT, info->used_s, limits->min_duration_s,
                                 "the recording lasts %.3f s; at least %g s are needed",
                                 info->used_s, limits->min_duration_s);
    struct quality quality;
    quality_measure(buffer->samples, buffer->n_samples, &quality);
    info->n_samples = buffer->n_samples;
    info->n_frames = fbank_n_frames(buffer->n_samples);
    info->speech_s = quality.speech_s;
    info->rms_dbfs = quality.rms_dbfs;
    if (!(quality.rms_dbfs >= limits->silence_dbfs))
        return status_fail_limit(err, VP_ERR_AUDIO_SILENT, quality.rms_dbfs, limits->silence_dbfs,
                                 "the recording is silent: %.1f dBFS, below %g; is the microphone "
                                 "on?",
                                 quality.rms_dbfs, limits->silence_dbfs);
    info->warnings |= remarks(limits, info, &quality);
    return VP_OK;
}

/* The recording goes on beyond the limit; where its header says how far, so does the error. */
static enum vp_status too_long(const struct container *container, const struct pass *pass,
                               double limit_s, struct vp_err *err)
{
    const uint64_t n_frames =
        container->n_frames > pass->n_frames ? container->n_frames : pass->n_frames;
    return status_fail_limit(err, VP_ERR_AUDIO_TOO_LONG, (double)n_frames / pass->rate_hz, limit_s,
                             "the recording is longer than %g s; send a shorter part of it",
                             limit_s);
}

static enum vp_status decode(struct audio_buffer *buffer, const struct vp_limits *limits,
                             const struct container *container, struct vp_clip_info *info,
                             struct vp_err *err)
{
    struct pass pass;
    bool differ;
    enum vp_status status =
        decode_mono(container, limits->max_duration_s, buffer, &pass, &differ, err);
    if (status == VP_OK && pass.more && !limits->truncate)
        status = too_long(container, &pass, limits->max_duration_s, err);
    if (status != VP_OK)
        return status;
    info->container = container->name;
    info->codec = container->codec;
    info->sample_rate_hz = pass.rate_hz;
    info->channels = pass.channels;
    info->duration_s = info->used_s = (double)pass.n_frames / pass.rate_hz;
    info->peak_dbfs = quality_dbfs((double)pass.peak);
    info->clipped_ratio = pass.clipped_ratio;
    info->warnings = (differ ? VP_WARN_CHANNELS_DIFFER : 0u) | (pass.more ? VP_WARN_TRUNCATED : 0u);
    return judge(buffer, limits, info, err);
}

enum vp_status audio_decode(struct audio_buffer *buffer, const struct vp_limits *limits,
                            const void *bytes, size_t n_bytes, struct vp_clip_info *info,
                            struct vp_err *err)
{
    memset(info, 0, sizeof *info);
    buffer->n_samples = 0;
    struct container container;
    enum vp_status status = container_read((struct bytes){bytes, n_bytes}, &container, err);
    if (status == VP_OK)
        status = decode(buffer, limits, &container, info, err);
    if (status != VP_OK)
        buffer->n_samples = 0;
    return status;
}

enum vp_status audio_set_samples(struct audio_buffer *buffer, const struct vp_limits *limits,
                                 const float *samples, size_t n_samples, struct vp_clip_info *info,
                                 struct vp_err *err)
{
    memset(info, 0, sizeof *info);
    buffer->n_samples = 0;
    struct container container; /* bare floats: a recording like any other, checks and all */
    enum vp_status status = container_of_samples(samples, n_samples, &container, err);
    if (status == VP_OK)
        status = decode(buffer, limits, &container, info, err);
    if (status != VP_OK)
        buffer->n_samples = 0;
    return status;
}
