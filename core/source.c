/* libsndfile over bytes in memory. Nothing that it says of lengths is believed. */
#include "source.h"

#include <inttypes.h>
#include <math.h>
#include <sndfile.h>
#include <stdlib.h>

struct source {
    const char *name; /* of the container, static */
    float full_scale;
    struct bytes data; /* borrowed */
    size_t position;   /* of libsndfile in data */
    SNDFILE *file;     /* owned */
    unsigned rate_hz, channels;
    uint64_t n_promised; /* frames; 0: unknown */
    uint64_t n_read, n_clipped;
    float peak;
};

/* ---- what libsndfile calls ------------------------------------------------------------------ */

static sf_count_t on_length(void *user)
{
    const struct source *source = user;
    return (sf_count_t)source->data.n;
}

static sf_count_t on_tell(void *user)
{
    const struct source *source = user;
    return (sf_count_t)source->position;
}

static sf_count_t on_seek(sf_count_t offset, int whence, void *user)
{
    struct source *source = user;
    sf_count_t target;
    const size_t base = whence == SEEK_CUR   ? source->position
                        : whence == SEEK_END ? source->data.n
                                             : 0;
    if (__builtin_add_overflow((sf_count_t)base, offset, &target) || target < 0 ||
        (uint64_t)target > source->data.n)
        return -1;
    source->position = (size_t)target;
    return target;
}

static sf_count_t on_read(void *into, sf_count_t n, void *user)
{
    struct source *source = user;
    const struct bytes piece = bytes_from(source->data, source->position, n > 0 ? (uint64_t)n : 0);
    if (piece.n > 0)
        memcpy(into, piece.at, piece.n);
    source->position += piece.n;
    return (sf_count_t)piece.n;
}

/* ---- opening -------------------------------------------------------------------------------- */

/* A double, so that rates from headers that are absurd or no numbers at all can be told. */
static enum vp_status check_rate(double rate_hz, struct vp_err *err)
{
    if (rate_hz >= SOURCE_MIN_RATE_HZ && rate_hz <= SOURCE_MAX_RATE_HZ)
        return VP_OK;
    const double limit = rate_hz > SOURCE_MAX_RATE_HZ ? SOURCE_MAX_RATE_HZ : SOURCE_MIN_RATE_HZ;
    return status_fail_limit(
        err, VP_ERR_AUDIO_RATE, isfinite(rate_hz) ? rate_hz : 0.0, limit,
        "a sample rate of %g Hz is outside %u to %u Hz; resample the recording", rate_hz,
        SOURCE_MIN_RATE_HZ, SOURCE_MAX_RATE_HZ);
}

static enum vp_status check_channels(unsigned channels, struct vp_err *err)
{
    if (channels <= SOURCE_MAX_CHANNELS)
        return VP_OK;
    return status_fail_limit(err, VP_ERR_AUDIO_CHANNELS, channels, SOURCE_MAX_CHANNELS,
                             "%u channels; send at most %u", channels, SOURCE_MAX_CHANNELS);
}

/* Second lock behind the allow-list: is this the decoder that the container asked for? */
static bool is_as_expected(const struct container *container, int format)
{
    static const struct {
        const char *codec;
        int type, subtype; /* subtype 0: any */
    } streams[] = {
        {"flac", SF_FORMAT_FLAC, 0},
        {"vorbis", SF_FORMAT_OGG, SF_FORMAT_VORBIS},
        {"opus", SF_FORMAT_OGG, SF_FORMAT_OPUS},
        {"mp3", SF_FORMAT_MPEG, SF_FORMAT_MPEG_LAYER_III},
    };
    const int type = format & SF_FORMAT_TYPEMASK, subtype = format & SF_FORMAT_SUBMASK;
    if (container->sf_format != 0)
        return type == SF_FORMAT_RAW;
    for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++)
        if (strcmp(streams[i].codec, container->codec) == 0)
            return type == streams[i].type &&
                   (streams[i].subtype == 0 || subtype == streams[i].subtype);
    return false;
}

static enum vp_status open_file(struct source *source, const struct container *container,
                                SF_INFO *info, struct vp_err *err)
{
    /* static const would do, but libsndfile wants it without const */
    SF_VIRTUAL_IO io = {
        .get_filelen = on_length, .seek = on_seek, .read = on_read, .tell = on_tell};
    if (container->sf_format != 0) {
        enum vp_status status = check_rate(container->rate_hz, err);
        if (status == VP_OK)
            status = check_channels(container->channels, err);
        if (status != VP_OK)
            return status;
        info->format = container->sf_format;
        info->samplerate = (int)lround(container->rate_hz);
        info->channels = (int)container->channels;
    }
    if (container->data.n == 0)
        return status_fail(err, VP_ERR_AUDIO_UNDECODABLE,
                           "the %s file has a header and no audio behind it", container->name);
    source->file = sf_open_virtual(&io, SFM_READ, info, source);
    /* Its reason for a failure lies in a global that threads share: not asked for. */
    if (source->file == NULL || info->channels < 1 || !is_as_expected(container, info->format))
        return status_fail(err, VP_ERR_AUDIO_UNDECODABLE,
                           "the %s file cannot be decoded: its header is damaged or cut",
                           container->name);
    return VP_OK;
}

enum vp_status source_open(const struct container *container, struct source **out,
                           struct vp_err *err)
{
    *out = NULL;
    struct source *source = calloc(1, sizeof *source);
    if (source == NULL)
        return status_no_memory(err, "a decoder", sizeof *source);
    source->name = container->name;
    source->full_scale = container->full_scale;
    source->data = container->data;
    source->n_promised = container->n_frames;
    SF_INFO info = {0};
    enum vp_status status = open_file(source, container, &info, err);
    if (status == VP_OK)
        status = check_rate(info.samplerate, err);
    if (status == VP_OK)
        status = check_channels((unsigned)info.channels, err);
    if (status != VP_OK) {
        source_close(source);
        return status;
    }
    source->rate_hz = (unsigned)info.samplerate;
    source->channels = (unsigned)info.channels;
    *out = source;
    return VP_OK;
}

void source_close(struct source *source)
{
    if (source != NULL && source->file != NULL)
        sf_close(source->file); /* its result tells of writing only */
    free(source);
}

unsigned source_rate_hz(const struct source *source)
{
    return source->rate_hz;
}

unsigned source_channels(const struct source *source)
{
    return source->channels;
}

/* ---- reading -------------------------------------------------------------------------------- */

/* Peak, clipped samples, and whether all are numbers of sane size. */
static bool inspect(struct source *source, const float *samples, size_t n)
{
    const float full_scale = source->full_scale;
    float peak = source->peak;
    unsigned n_bad = 0, n_clipped = 0; /* a block is far below their range */
    for (size_t i = 0; i < n; i++) {
        const float magnitude = fabsf(samples[i]);
        n_bad += !(magnitude <= SOURCE_MAX_SAMPLE); /* true for NaN as well */
        n_clipped += magnitude >= full_scale;
        peak = magnitude > peak ? magnitude : peak;
    }
    source->peak = peak;
    source->n_clipped += n_clipped;
    return n_bad == 0;
}

enum vp_status source_read(struct source *source, float *interleaved, size_t n_frames,
                           size_t *n_read, struct vp_err *err)
{
    *n_read = 0;
    const sf_count_t n = sf_readf_float(source->file, interleaved, (sf_count_t)n_frames);
    const int error = sf_error(source->file);
    if (n < 0 || (uint64_t)n > n_frames || error != SF_ERR_NO_ERROR) {
        const char *reason = sf_error_number(error); /* "Error : flac decoder lost sync." */
        if (strncmp(reason, "Error : ", 8) == 0)
            reason += 8;
        return status_fail(err, VP_ERR_AUDIO_UNDECODABLE,
                           "the %s file is damaged or cut after %.1f s (%.100s)", source->name,
                           (double)source->n_read / source->rate_hz, reason);
    }
    source->n_read += (uint64_t)n;
    if ((uint64_t)n < n_frames && source->n_read < source->n_promised)
        return status_fail(err, VP_ERR_AUDIO_UNDECODABLE,
                           "the %s file is cut or damaged: its header promises %" PRIu64
                           " samples and %" PRIu64 " could be read; send the whole file",
                           source->name, source->n_promised, source->n_read);
    if (!inspect(source, interleaved, (size_t)n * source->channels))
        return status_fail(err, VP_ERR_AUDIO_SAMPLES,
                           "the %s file holds samples that are no numbers (NaN, infinity) or "
                           "beyond 2^32; mend the program that wrote it",
                           source->name);
    *n_read = (size_t)n;
    return VP_OK;
}

float source_peak(const struct source *source)
{
    return source->peak;
}

uint64_t source_n_clipped(const struct source *source)
{
    return source->n_clipped;
}
