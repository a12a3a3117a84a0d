/* libsndfile over bytes in memory, libmpg123 for MP3, FFmpeg for the rest. Nothing they say of
 * lengths is believed. */
#include "audio/source.h"

#include <math.h>
#include <sndfile.h>
#include <stdio.h>
#include <stdlib.h>

#include "audio/ffmpeg_decoder.h"
#include "audio/mp3_decoder.h"
#include "base/lanes.h"

/*
 * Bytes that a decoder may take in for one block of samples, and failures of it in all. A file may
 * promise sound for ever and hold empty packets, and frames of a few bytes that cost as much as
 * long ones and give nothing. The largest honest block: an Ogg page or two; a FLAC frame of 2 MiB.
 */
#define OGG_RATION    ((size_t)1 << 18)
#define RATION        ((size_t)1 << 22) /* of all others; and to open any */
#define MOST_FAILURES 1000u

struct source {
    const char *name; /* of the container, static */
    float full_scale;
    unsigned char head[CONTAINER_HEAD_BYTES]; /* n_head bytes: what lies before data */
    size_t n_head;
    struct bytes data;      /* borrowed */
    size_t position;        /* of libsndfile in both */
    size_t ration, n_taken; /* for the block at hand, and how many bytes of it were taken */
    bool wants_more;        /* it was not enough */
    /* one of the three is there, owned */
    SNDFILE *file;
    struct mp3_decoder *mp3;
    struct ffmpeg_decoder *ffmpeg;
    const char *codec; /* static */
    unsigned rate_hz, channels;
    unsigned channel;            /* that is read, or VP_CHANNEL_MIX: all of them */
    uint64_t n_expected, n_lost; /* frames: as the container tells */
    bool is_estimate;            /* n_expected is the least that there should be */
    unsigned remarks, block_frames;
    uint64_t n_failures; /* of the decoder */
    char reason[60];     /* of the last one */
    uint64_t n_read, n_clipped;
    float peak;
};

/* ---- what libsndfile calls ------------------------------------------------------------------ */

static size_t length(const struct source *source)
{
    return source->n_head + source->data.n;
}

static sf_count_t on_length(void *user)
{
    return (sf_count_t)length(user);
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
                        : whence == SEEK_END ? length(source)
                                             : 0;
    if (__builtin_add_overflow((sf_count_t)base, offset, &target) || target < 0 ||
        (uint64_t)target > length(source))
        return -1;
    source->position = (size_t)target;
    return target;
}

static sf_count_t on_read(void *into, sf_count_t n, void *user)
{
    struct source *source = user;
    const size_t n_wanted = n > 0 ? (size_t)n : 0;
    if (n_wanted > source->ration - source->n_taken) {
        source->wants_more = true;
        return 0;
    }
    const struct bytes head =
        bytes_from((struct bytes){source->head, source->n_head}, source->position, n_wanted);
    const size_t data_at =
        source->position > source->n_head ? source->position - source->n_head : 0;
    const struct bytes piece = bytes_from(source->data, data_at, n_wanted - head.n);
    if (head.n > 0)
        memcpy(into, head.at, head.n);
    if (piece.n > 0)
        memcpy((unsigned char *)into + head.n, piece.at, piece.n);
    source->position += head.n + piece.n;
    source->n_taken += head.n + piece.n;
    return (sf_count_t)(head.n + piece.n);
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
    const int type = format & SF_FORMAT_TYPEMASK, subtype = format & SF_FORMAT_SUBMASK;
    if (container->sf_format != 0)
        return type == SF_FORMAT_RAW;
    if (strcmp(container->codec, "flac") == 0)
        return type == SF_FORMAT_FLAC;
    return type == SF_FORMAT_OGG &&
           subtype == (strcmp(container->codec, "opus") == 0 ? SF_FORMAT_OPUS : SF_FORMAT_VORBIS);
}

static enum vp_status open_sndfile(struct source *source, const struct container *container,
                                   struct vp_err *err)
{
    SF_VIRTUAL_IO io = {
        .get_filelen = on_length, .seek = on_seek, .read = on_read, .tell = on_tell};
    SF_INFO info = {.format = container->sf_format};
    if (container->sf_format != 0) {
        info.samplerate = (int)lround(container->rate_hz);
        info.channels = (int)container->channels;
    }
    source->file = sf_open_virtual(&io, SFM_READ, &info, source);
    /* Its reason for a failure lies in a global that threads share: not asked for. */
    if (source->file == NULL || info.channels < 1 || info.samplerate < 0 ||
        !is_as_expected(container, info.format))
        return status_fail(err, VP_ERR_AUDIO_UNDECODABLE,
                           "the %s file cannot be decoded: its header is damaged or cut",
                           container->name);
    source->rate_hz = (unsigned)info.samplerate;
    source->channels = (unsigned)info.channels;
    return VP_OK;
}

static enum vp_status open_ffmpeg(struct source *source, const char *demuxer, struct vp_err *err)
{
    struct ffmpeg_format format;
    const enum vp_status status =
        ffmpeg_decoder_open(source->data, source->name, demuxer, &source->ffmpeg, &format, err);
    if (status != VP_OK)
        return status;
    source->codec = format.codec;
    source->rate_hz = format.rate_hz;
    source->channels = format.channels;
    source->n_expected = format.n_frames;
    source->is_estimate = true;
    source->block_frames = ffmpeg_decoder_packet_frames(source->ffmpeg);
    return VP_OK;
}

/* libsndfile refuses Opus whose first position is not what its samples ask for, as streams that
 * were cut out of others have it. What was checked of a damaged one is not what libavformat would
 * see. */
static enum vp_status open_ogg(struct source *source, const struct container *container,
                               struct vp_err *err)
{
    const enum vp_status status = open_sndfile(source, container, err);
    if (status == VP_OK || strcmp(container->codec, "opus") != 0 || container->remarks != 0)
        return status;
    return open_ffmpeg(source, "ogg", err);
}

/* Rate and channels are checked twice: what a header claims before a decoder sees it, and what
 * the decoder found before a sample is read. */
static enum vp_status open_decoder(struct source *source, const struct container *container,
                                   struct vp_err *err)
{
    enum vp_status status = VP_OK;
    if (container->sf_format != 0) {
        if ((status = check_rate(container->rate_hz, err)) != VP_OK ||
            (status = check_channels(container->channels, err)) != VP_OK)
            return status;
    }
    if (container->data.n == 0)
        return status_fail(err, VP_ERR_AUDIO_UNDECODABLE,
                           "the %s file has a header and no audio behind it", container->name);
    source->codec = container->codec;
    if (container->demuxer != NULL)
        status = open_ffmpeg(source, container->demuxer, err);
    else if (strcmp(container->name, "ogg") == 0)
        status = open_ogg(source, container, err);
    else if (strcmp(container->codec, "mp3") == 0)
        status = mp3_decoder_open(container->data, &source->mp3, &source->rate_hz,
                                  &source->channels, err);
    else
        status = open_sndfile(source, container, err);
    if (status == VP_OK)
        status = check_rate(source->rate_hz, err);
    return status == VP_OK ? check_channels(source->channels, err) : status;
}

/* Is there a channel of the number asked for? */
static enum vp_status check_choice(const struct source *source, struct vp_err *err)
{
    const unsigned n = source->channels;
    if (source->channel <= n)
        return VP_OK;
    return status_fail_limit(err, VP_ERR_AUDIO_NO_CHANNEL, source->channel, n,
                             "there is no channel %u: the recording has %u channel%s%s; ask for "
                             "one that is there, or for channel=mix",
                             source->channel, n, n == 1 ? "" : "s",
                             n == 2 ? ", left and right" : "");
}

enum vp_status source_open(const struct container *container, unsigned channel, struct source **out,
                           struct vp_err *err)
{
    *out = NULL;
    struct source *source = calloc(1, sizeof *source);
    if (source == NULL)
        return status_no_memory(err, "a decoder", sizeof *source);
    source->channel = channel;
    source->name = container->name;
    source->full_scale = container->full_scale;
    source->data = container->data;
    memcpy(source->head, container->head, sizeof source->head);
    source->n_head = container->n_head;
    source->ration = RATION;
    source->n_expected = container->n_frames;
    source->block_frames = container->block_frames;
    source->remarks = container->remarks;
    enum vp_status status = open_decoder(source, container, err);
    source->ration = strcmp(container->name, "ogg") == 0 ? OGG_RATION : RATION;
    if (status == VP_OK)
        status = check_choice(source, err);
    source->n_lost = container->n_lost;
    if (container->lost_rate_hz != 0)
        source->n_lost = source->n_lost * source->rate_hz / container->lost_rate_hz;
    if (status == VP_OK)
        *out = source;
    else
        source_close(source);
    return status;
}

void source_close(struct source *source)
{
    if (source == NULL)
        return;
    if (source->file != NULL)
        sf_close(source->file); /* its result tells of writing only */
    mp3_decoder_close(source->mp3);
    ffmpeg_decoder_close(source->ffmpeg);
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

unsigned source_width(const struct source *source)
{
    return source->channel == VP_CHANNEL_MIX ? source->channels : 1;
}

const char *source_codec(const struct source *source)
{
    return source->codec;
}

/* ---- reading -------------------------------------------------------------------------------- */

/* Peak, clipped samples, and whether all are numbers of sane size. */
static bool inspect(struct source *source, const float *samples, size_t n)
{
    const float full_scale = source->full_scale;
    const lanes most4 = lanes_fill(SOURCE_MAX_SAMPLE), full4 = lanes_fill(full_scale);
    lanes peak4 = lanes_fill(source->peak);
    lanes_mask bad4 = {0}, clipped4 = {0}; /* counted downwards; a block is far below their range */
    size_t i = 0;
    for (; i + N_LANES <= n; i += N_LANES) {
        const lanes magnitude = lanes_abs(lanes_load(samples + i));
        bad4 += ~(magnitude <= most4); /* true for NaN as well */
        clipped4 += magnitude >= full4;
        peak4 = lanes_select(magnitude > peak4, magnitude, peak4);
    }
    float peak = 0.0F;
    size_t n_bad = 0, n_clipped = 0;
    for (size_t k = 0; k < N_LANES; k++) {
        peak = peak4[k] > peak ? peak4[k] : peak;
        n_bad += (size_t)-bad4[k];
        n_clipped += (size_t)-clipped4[k];
    }
    for (; i < n; i++) {
        const float magnitude = fabsf(samples[i]);
        n_bad += !(magnitude <= SOURCE_MAX_SAMPLE);
        n_clipped += magnitude >= full_scale;
        peak = magnitude > peak ? magnitude : peak;
    }
    source->peak = peak;
    source->n_clipped += n_clipped;
    return n_bad == 0;
}

/* Up to n_frames more frames from whichever decoder it is. False: it failed behind them, *reason
 * tells why. */
static bool decode(struct source *source, float *interleaved, size_t n_frames, size_t *n_read,
                   const char **reason)
{
    if (source->mp3 != NULL) {
        const bool good =
            mp3_decoder_read(source->mp3, interleaved, n_frames * source->channels, n_read, reason);
        *n_read /= source->channels;
        return good;
    }
    if (source->ffmpeg != NULL)
        return ffmpeg_decoder_read(source->ffmpeg, interleaved, n_frames, n_read, reason);
    const sf_count_t n = sf_readf_float(source->file, interleaved, (sf_count_t)n_frames);
    *reason = sf_error_number(sf_error(source->file)); /* "Error : flac decoder lost sync." */
    if (strncmp(*reason, "Error : ", 8) == 0)
        *reason += 8;
    *n_read = n >= 0 && (size_t)n <= n_frames ? (size_t)n : 0;
    return n >= 0 && (size_t)n <= n_frames && sf_error(source->file) == SF_ERR_NO_ERROR;
}

/* Is the decoder's failure more than a complaint about what lies behind the last frame? */
static void note_failure(struct source *source, const char *reason)
{
    if (source->n_expected > 0 && source->n_read >= source->n_expected)
        return;
    source->n_failures++;
    source->remarks |= VP_WARN_DAMAGED;
    snprintf(source->reason, sizeof source->reason, "%.*s", (int)strcspn(reason, "."), reason);
}

/* Behind what cannot be decoded there is more as long as that takes more of the bytes in. */
static size_t read_frames(struct source *source, float *interleaved, size_t n_frames, bool *ended)
{
    size_t n_read;
    const char *reason;
    const size_t before = source->position;
    source->n_taken = 0;
    const bool good = decode(source, interleaved, n_frames, &n_read, &reason);
    source->n_read += n_read;
    if (!good)
        note_failure(source, reason);
    if (source->ffmpeg != NULL)
        *ended = ffmpeg_decoder_has_ended(source->ffmpeg);
    else if (good || source->mp3 != NULL)
        *ended = n_read < n_frames;
    else
        *ended = n_read == 0 && source->position == before;
    return n_read;
}

/* Does the file make work, and no sound? */
static bool wants_more(const struct source *source)
{
    if (source->mp3 != NULL)
        return mp3_decoder_wants_more(source->mp3);
    if (source->ffmpeg != NULL)
        return ffmpeg_decoder_wants_more(source->ffmpeg);
    return source->wants_more;
}

static enum vp_status judge_work(const struct source *source, struct vp_err *err)
{
    if (wants_more(source))
        return status_fail(err, VP_ERR_AUDIO_UNDECODABLE,
                           "the %s file is damaged: much of it is no sound at all", source->name);
    if (source->n_failures > MOST_FAILURES)
        return status_fail(err, VP_ERR_AUDIO_UNDECODABLE,
                           "the %s file is damaged in more than %u places", source->name,
                           MOST_FAILURES);
    return VP_OK;
}

/* interleaved [n, channels] -> the channel that is read, [n], in place */
static void pick(const struct source *source, float *interleaved, size_t n)
{
    for (size_t i = 0; i < n; i++)
        interleaved[i] = interleaved[i * source->channels + source->channel - 1];
}

enum vp_status source_read(struct source *source, float *interleaved, size_t n_frames,
                           size_t *n_read, bool *ended, struct vp_err *err)
{
    *n_read = read_frames(source, interleaved, n_frames, ended);
    if (source->channel != VP_CHANNEL_MIX)
        pick(source, interleaved, *n_read);
    const enum vp_status status = judge_work(source, err);
    if (status == VP_OK && inspect(source, interleaved, *n_read * source_width(source)))
        return VP_OK;
    *n_read = 0;
    if (status != VP_OK)
        return status;
    return status_fail(err, VP_ERR_AUDIO_SAMPLES,
                       "the %s file holds samples that are no numbers (NaN, infinity) or "
                       "beyond 2^32; mend the program that wrote it",
                       source->name);
}

static bool has_changed(const struct source *source)
{
    if (source->mp3 != NULL)
        return mp3_decoder_has_changed(source->mp3);
    return source->ffmpeg != NULL && ffmpeg_decoder_has_changed(source->ffmpeg);
}

void source_loss(const struct source *source, struct loss *out)
{
    const uint64_t n_there = source->n_read + source->n_lost;
    const uint64_t n_short = source->n_expected > n_there ? source->n_expected - n_there : 0;
    /* the decoder complains of what the container has counted already, too */
    const uint64_t n_noticed = source->n_lost > 0 && source->n_failures > 0 ? 1 : 0;
    const uint64_t n_spoilt = (source->n_failures - n_noticed) * source->block_frames;
    *out = (struct loss){
        .n_frames = source->n_lost + (n_short > n_spoilt ? n_short : n_spoilt),
        .n_expected = source->n_expected > 0 ? source->n_expected : n_there,
        .is_unknown = source->n_failures > 0 && source->n_expected == 0,
        .changes = has_changed(source),
        .remarks = source->remarks,
    };
    const bool differs =
        source->n_expected > n_there || (source->n_expected < n_there && !source->is_estimate);
    if (source->n_expected > 0 && differs && source->n_failures == 0)
        out->remarks |= VP_WARN_LENGTH_MISMATCH;
    snprintf(out->reason, sizeof out->reason, "%s", source->reason);
}

float source_peak(const struct source *source)
{
    return source->peak;
}

uint64_t source_n_clipped(const struct source *source)
{
    return source->n_clipped;
}

double source_progress(const struct source *source)
{
    const size_t position = source->mp3 != NULL      ? mp3_decoder_position(source->mp3)
                            : source->ffmpeg != NULL ? ffmpeg_decoder_position(source->ffmpeg)
                                                     : source->position;
    return position < length(source) ? (double)position / (double)length(source) : 1.0;
}
