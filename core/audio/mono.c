/* Blocks of fixed size go from the decoder through the resampler to the caller. */
#include "audio/mono.h"

#include <math.h>
#include <stdlib.h>

#include "audio/resample.h"
#include "base/lanes.h"

/* A mean with less than this share of the loudest channel's power has lost the voice: channels in
 * opposite phase, or one voice among five silent channels. */
#define LOST_SHARE 0.1
/* Channels that agree give a mean with the power of each; two different ones give half of it. */
#define DIFFER_SHARE 0.7
#define MOST_FRAMES  ((double)(UINT64_C(1) << 62)) /* stands for no limit */

/* Sums for the power of one channel around its mean. */
struct moments {
    double sum, squares;
};

struct mono {
    struct source *source;
    struct resampler *resampler;
    uint64_t max_frames, n_frames;
    bool more;
    struct moments of_channel[SOURCE_MAX_CHANNELS], of_mix;
    float interleaved[MONO_BLOCK_FRAMES * SOURCE_MAX_CHANNELS];
    float mixed[MONO_BLOCK_FRAMES];
};

enum vp_status mono_open(const struct container *container, unsigned channel, double max_duration_s,
                         struct mono **out, struct vp_err *err)
{
    *out = NULL;
    struct mono *mono = calloc(1, sizeof *mono);
    if (mono == NULL)
        return status_no_memory(err, "a decoder", sizeof *mono);
    enum vp_status status = source_open(container, channel, &mono->source, err);
    if (status == VP_OK)
        status = resampler_new(source_rate_hz(mono->source), &mono->resampler, err);
    if (status != VP_OK) {
        mono_close(mono);
        return status;
    }
    /* a hair more than the product, lest a length of exactly the limit be rounded down */
    const double frames = max_duration_s * source_rate_hz(mono->source) + 1e-3;
    mono->max_frames = (uint64_t)fmin(frames, MOST_FRAMES);
    *out = mono;
    return VP_OK;
}

void mono_close(struct mono *mono)
{
    if (mono == NULL)
        return;
    source_close(mono->source);
    resampler_free(mono->resampler);
    free(mono);
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

/* interleaved [n, channels], two channels or more -> mixed [n] */
static void mix(struct mono *mono, size_t n, unsigned channels)
{
    const float *interleaved = mono->interleaved;
    float *mixed = mono->mixed;
    const float share = 1.0F / (float)channels;
    for (size_t i = 0; i < n; i++)
        mixed[i] = interleaved[i * channels] + interleaved[i * channels + 1];
    for (size_t c = 2; c < channels; c++)
        for (size_t i = 0; i < n; i++)
            mixed[i] += interleaved[i * channels + c];
    for (size_t i = 0; i < n; i++)
        mixed[i] *= share;
    add_moments(mono->of_channel, interleaved, n, channels);
    add_moments(&mono->of_mix, mixed, n, 1);
}

/* ---- reading -------------------------------------------------------------------------------- */

/* Reads a block and returns its mono samples, borrowed; one channel needs no mixing. */
static enum vp_status read_block(struct mono *mono, size_t n_wanted, size_t *n_read,
                                 const float **samples, bool *ended, struct vp_err *err)
{
    enum vp_status status =
        source_read(mono->source, mono->interleaved, n_wanted, n_read, ended, err);
    if (status != VP_OK)
        return status;
    const unsigned channels = source_width(mono->source);
    *samples = mono->interleaved;
    if (channels > 1) {
        mix(mono, *n_read, channels);
        *samples = mono->mixed;
    }
    return VP_OK;
}

/* At the limit one frame more is asked for, which tells whether the recording goes on. */
enum vp_status mono_read(struct mono *mono, float *samples, size_t capacity, size_t *n, bool *ended,
                         struct vp_err *err)
{
    *n = 0;
    *ended = false;
    const uint64_t room = mono->max_frames - mono->n_frames;
    const size_t n_wanted = room == 0                  ? 1
                            : room < MONO_BLOCK_FRAMES ? (size_t)room
                                                       : MONO_BLOCK_FRAMES;
    size_t n_read;
    const float *block;
    enum vp_status status = read_block(mono, n_wanted, &n_read, &block, ended, err);
    if (status == VP_OK && room == 0) {
        mono->more = n_read > 0;
        *ended = *ended || mono->more;
        n_read = 0;
    } else if (status == VP_OK) {
        status = resampler_push(mono->resampler, block, n_read, samples, capacity, n, err);
    }
    if (status != VP_OK)
        return status;
    mono->n_frames += n_read;
    if (*ended) { /* the tail */
        size_t n_tail;
        status =
            resampler_push(mono->resampler, NULL, 0, samples + *n, capacity - *n, &n_tail, err);
        *n += n_tail;
    }
    return status;
}

void mono_facts(const struct mono *mono, struct mono_facts *out)
{
    *out = (struct mono_facts){
        .codec = source_codec(mono->source),
        .rate_hz = source_rate_hz(mono->source),
        .channels = source_channels(mono->source),
        .n_frames = mono->n_frames,
        .more = mono->more,
        .peak = source_peak(mono->source),
    };
    source_loss(mono->source, &out->loss);
    if (mono->n_frames == 0)
        return;
    out->clipped_ratio = (double)source_n_clipped(mono->source) /
                         ((double)mono->n_frames * source_width(mono->source));
    for (size_t c = 0; c < out->channels; c++)
        out->power[c] = power_of(&mono->of_channel[c], mono->n_frames);
    out->mix_power = power_of(&mono->of_mix, mono->n_frames);
}

double mono_progress(const struct mono *mono)
{
    return source_progress(mono->source);
}

bool mono_differs(const struct mono_facts *facts)
{
    if (facts->channels < 2)
        return false;
    double mean_power = 0.0;
    for (unsigned c = 0; c < facts->channels; c++)
        mean_power += facts->power[c] / facts->channels;
    return facts->mix_power < DIFFER_SHARE * mean_power;
}

bool mono_lost(const struct mono_facts *facts, unsigned *loudest)
{
    unsigned most = 0;
    for (unsigned c = 0; c < facts->channels; c++)
        if (facts->power[c] > facts->power[most])
            most = c;
    *loudest = most + 1;
    return facts->channels > 1 && facts->mix_power < LOST_SHARE * facts->power[most];
}
