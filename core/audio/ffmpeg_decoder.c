/*
 * libavcodec on the packets of a demuxer. Decoders are looked up by name in the table below; what
 * they would make room for is checked before they are opened. The first frame tells the rate and
 * the channels.
 */
#include "audio/ffmpeg_decoder.h"

#include "audio/container.h"
#include "audio/demuxer.h"
#include "audio/vorbis.h"

#include <stdlib.h>

#define MOST_CHANNELS 8
#define MOST_RATE_HZ  192000
#define MOST_FAILURES 100 /* packets in a row that cannot be decoded, before it is given up */
/* For one block of samples, and to find the first. A block is of 2048 frames, an honest packet
 * holds hundreds; one without any costs time all the same. */
#define MOST_PACKETS  2048
#define LEAST_SLACK   4096.0 /* frames of delay and padding: HE-AAC's are the longest */
#define MOST_PROMISED 1e15

/* Codecs on the list, the name they have here, and libavcodec's decoders, best first. */
static const struct codec {
    enum AVCodecID id;
    const char *name;
    const char *decoders[2];
} codecs[] = {
    {AV_CODEC_ID_AAC, "aac", {"aac"}},
    {AV_CODEC_ID_ALAC, "alac", {"alac"}},
    {AV_CODEC_ID_OPUS, "opus", {"libopus", "opus"}},
    {AV_CODEC_ID_VORBIS, "vorbis", {"vorbis"}},
    {AV_CODEC_ID_FLAC, "flac", {"flac"}},
    {AV_CODEC_ID_MP3, "mp3", {"mp3float"}},
    {AV_CODEC_ID_AMR_NB, "amr_nb", {"amrnb"}},
    {AV_CODEC_ID_AMR_WB, "amr_wb", {"amrwb"}},
    {AV_CODEC_ID_SPEEX, "speex", {"speex", "libspeex"}},
    {AV_CODEC_ID_WMAV1, "wma_v1", {"wmav1"}},
    {AV_CODEC_ID_WMAV2, "wma_v2", {"wmav2"}},
    {AV_CODEC_ID_WMAVOICE, "wma_voice", {"wmavoice"}},
    {AV_CODEC_ID_WMAPRO, "wma_pro", {"wmapro"}},
    {AV_CODEC_ID_GSM_MS, "gsm", {"gsm_ms"}},
    {AV_CODEC_ID_ADPCM_MS, "ms_adpcm", {"adpcm_ms"}},
    {AV_CODEC_ID_ADPCM_IMA_WAV, "ima_adpcm", {"adpcm_ima_wav"}},
    {AV_CODEC_ID_ADPCM_IMA_QT, "ima4", {"adpcm_ima_qt"}},
    {AV_CODEC_ID_PCM_S16LE, "pcm_16", {"pcm_s16le"}},
    {AV_CODEC_ID_PCM_S16BE, "pcm_16", {"pcm_s16be"}},
    {AV_CODEC_ID_PCM_S24LE, "pcm_24", {"pcm_s24le"}},
    {AV_CODEC_ID_PCM_S24BE, "pcm_24", {"pcm_s24be"}},
    {AV_CODEC_ID_PCM_S32LE, "pcm_32", {"pcm_s32le"}},
    {AV_CODEC_ID_PCM_S32BE, "pcm_32", {"pcm_s32be"}},
    {AV_CODEC_ID_PCM_F32LE, "float", {"pcm_f32le"}},
    {AV_CODEC_ID_PCM_F32BE, "float", {"pcm_f32be"}},
    {AV_CODEC_ID_PCM_ALAW, "alaw", {"pcm_alaw"}},
    {AV_CODEC_ID_PCM_MULAW, "mulaw", {"pcm_mulaw"}},
};

struct ffmpeg_decoder {
    const struct ffmpeg_library *library; /* static */
    struct demuxer *demuxer;              /* owned */
    AVCodecContext *codec;                /* owned */
    AVFrame *frame;                       /* owned; what was decoded and not read yet */
    int n_taken;                          /* samples of frame that were read */
    int rate_hz, channels;
    unsigned packet_frames;
    int n_failures;     /* in a row */
    unsigned n_packets; /* for the block at hand */
    bool wants_more;    /* they were not enough */
    bool has_changed;   /* another rate or number of channels begins */
    bool is_flushing, has_ended;
};

/* ---- opening -------------------------------------------------------------------------------- */

static const struct codec *find_codec(enum AVCodecID id)
{
    for (size_t i = 0; i < sizeof codecs / sizeof codecs[0]; i++)
        if (codecs[i].id == id)
            return &codecs[i];
    return NULL;
}

/* Before a decoder makes room for what they ask. */
static bool are_sane(const AVCodecParameters *parameters)
{
    const struct bytes extra = {parameters->extradata, (size_t)parameters->extradata_size};
    return parameters->sample_rate <= MOST_RATE_HZ &&
           (parameters->codec_id != AV_CODEC_ID_VORBIS || vorbis_are_sane_headers(extra));
}

static const AVCodec *find_decoder(const struct ffmpeg_library *library, const struct codec *codec)
{
    const AVCodec *found = NULL;
    for (size_t i = 0; codec != NULL && i < 2 && found == NULL && codec->decoders[i] != NULL; i++)
        found = library->avcodec_find_decoder_by_name(codec->decoders[i]);
    return found;
}

static enum vp_status open_codec(struct ffmpeg_decoder *decoder, const char *container,
                                 const char **name, struct vp_err *err)
{
    const struct ffmpeg_library *library = decoder->library;
    const AVStream *stream = demuxer_track(decoder->demuxer);
    const struct codec *codec = find_codec(stream->codecpar->codec_id);
    const AVCodec *found = find_decoder(library, codec);
    if (found == NULL)
        return container_refuse(
            err, "%s (%.16s)", container,
            codec != NULL ? codec->name : library->avcodec_get_name(stream->codecpar->codec_id));
    const int n_channels = stream->codecpar->ch_layout.nb_channels;
    if (n_channels > MOST_CHANNELS)
        return status_fail_limit(err, VP_ERR_AUDIO_CHANNELS, n_channels, MOST_CHANNELS,
                                 "%d channels; send at most %d", n_channels, MOST_CHANNELS);
    *name = codec->name;
    decoder->codec = library->avcodec_alloc_context3(found);
    decoder->frame = library->av_frame_alloc();
    if (decoder->codec == NULL || decoder->frame == NULL)
        return status_no_memory(err, "a decoder", sizeof *decoder->codec);
    decoder->codec->thread_count = 1;
    decoder->codec->pkt_timebase = stream->time_base;
    if (!are_sane(stream->codecpar) ||
        library->avcodec_parameters_to_context(decoder->codec, stream->codecpar) < 0 ||
        library->avcodec_open2(decoder->codec, found, NULL) < 0)
        return status_fail(err, VP_ERR_AUDIO_UNDECODABLE,
                           "the %s file cannot be decoded: what it says of its %s track is damaged",
                           container, codec->name);
    return VP_OK;
}

/* ---- decoding ------------------------------------------------------------------------------- */

/* A link of a chained Ogg brings headers: in the packet, or beside it. */
static bool is_sane_packet(const struct ffmpeg_decoder *decoder, const AVPacket *packet)
{
    if (decoder->codec->codec_id != AV_CODEC_ID_VORBIS)
        return true;
    struct bytes headers = {0};
    headers.at =
        decoder->library->av_packet_get_side_data(packet, AV_PKT_DATA_NEW_EXTRADATA, &headers.n);
    return vorbis_is_sane_packet((struct bytes){packet->data, (size_t)packet->size}) &&
           (headers.at == NULL || vorbis_are_sane_headers(headers));
}

/* Is the packet, or the search for it, more than one block of samples may cost? */
static bool is_beyond_ration(struct ffmpeg_decoder *decoder, const AVPacket *packet)
{
    if (packet == NULL)
        return demuxer_is_out_of_time(decoder->demuxer);
    return ++decoder->n_packets > MOST_PACKETS;
}

/* Gives the decoder the next packet of the track, or at the end its leave. False: it refuses it. */
static bool feed(struct ffmpeg_decoder *decoder)
{
    const AVPacket *packet = demuxer_next(decoder->demuxer);
    decoder->is_flushing = packet == NULL;
    if (is_beyond_ration(decoder, packet)) {
        decoder->wants_more = decoder->has_ended = true;
        return false;
    }
    return (packet == NULL || is_sane_packet(decoder, packet)) &&
           decoder->library->avcodec_send_packet(decoder->codec, packet) >= 0;
}

/* The next frame with samples into decoder->frame. False: a packet cannot be decoded. At the end of
 * the stream has_ended is set. */
static bool next_frame(struct ffmpeg_decoder *decoder)
{
    decoder->n_taken = 0;
    for (;;) {
        const int status = decoder->library->avcodec_receive_frame(decoder->codec, decoder->frame);
        if (status >= 0 && decoder->frame->nb_samples > 0) {
            decoder->packet_frames = (unsigned)decoder->frame->nb_samples;
            return decoder->frame->decode_error_flags == 0;
        }
        if (status == AVERROR_EOF || (status == AVERROR(EAGAIN) && decoder->is_flushing)) {
            decoder->has_ended = true;
            return true;
        }
        if (status < 0 && status != AVERROR(EAGAIN))
            return false;
        if (status == AVERROR(EAGAIN) && !feed(decoder))
            return false;
    }
}

static float sample_of(const uint8_t *plane, int format, size_t i)
{
    switch (format) {
    case AV_SAMPLE_FMT_U8:
    case AV_SAMPLE_FMT_U8P:
        return (float)(plane[i] - 128) / 128.0F;
    case AV_SAMPLE_FMT_S16:
    case AV_SAMPLE_FMT_S16P:
        return (float)((const int16_t *)(const void *)plane)[i] / 32768.0F;
    case AV_SAMPLE_FMT_S32:
    case AV_SAMPLE_FMT_S32P:
        return (float)((double)((const int32_t *)(const void *)plane)[i] / 2147483648.0);
    case AV_SAMPLE_FMT_FLT:
    case AV_SAMPLE_FMT_FLTP:
        return ((const float *)(const void *)plane)[i];
    case AV_SAMPLE_FMT_DBL:
    case AV_SAMPLE_FMT_DBLP:
        return (float)((const double *)(const void *)plane)[i];
    default: /* no decoder of the list gives another one */
        return 0.0F;
    }
}

/* n frames of decoder->frame, from n_taken on -> interleaved [n, channels] */
static void take(struct ffmpeg_decoder *decoder, float *interleaved, size_t n)
{
    const AVFrame *frame = decoder->frame;
    const size_t channels = (size_t)decoder->channels, first = (size_t)decoder->n_taken;
    const bool planar = decoder->library->av_sample_fmt_is_planar(frame->format);
    for (size_t c = 0; c < channels; c++) {
        const uint8_t *plane = frame->extended_data[planar ? c : 0];
        for (size_t i = 0; i < n; i++)
            interleaved[i * channels + c] =
                sample_of(plane, frame->format, planar ? first + i : (first + i) * channels + c);
    }
    decoder->n_taken += (int)n;
}

bool ffmpeg_decoder_read(struct ffmpeg_decoder *decoder, float *interleaved, size_t n_frames,
                         size_t *n_read, const char **reason)
{
    *n_read = 0;
    decoder->n_packets = 0;
    while (*n_read < n_frames && !decoder->has_ended) {
        const size_t n_left = (size_t)(decoder->frame->nb_samples - decoder->n_taken);
        if (n_left == 0) {
            if (!next_frame(decoder)) {
                decoder->has_ended |= ++decoder->n_failures == MOST_FAILURES;
                *reason = "a packet that cannot be decoded";
                return false;
            }
            if (!decoder->has_ended &&
                (decoder->frame->sample_rate != decoder->rate_hz ||
                 decoder->frame->ch_layout.nb_channels != decoder->channels)) {
                decoder->has_changed = decoder->has_ended = true;
                *reason = "another sample rate or number of channels begins";
                return false;
            }
            decoder->n_failures = 0;
            continue;
        }
        const size_t n = n_left < n_frames - *n_read ? n_left : n_frames - *n_read;
        take(decoder, interleaved + *n_read * (size_t)decoder->channels, n);
        *n_read += n;
    }
    return true;
}

bool ffmpeg_decoder_has_ended(const struct ffmpeg_decoder *decoder)
{
    return decoder->has_ended;
}

bool ffmpeg_decoder_has_changed(const struct ffmpeg_decoder *decoder)
{
    return decoder->has_changed;
}

bool ffmpeg_decoder_wants_more(const struct ffmpeg_decoder *decoder)
{
    return decoder->wants_more;
}

unsigned ffmpeg_decoder_packet_frames(const struct ffmpeg_decoder *decoder)
{
    return decoder->packet_frames;
}

size_t ffmpeg_decoder_position(const struct ffmpeg_decoder *decoder)
{
    return demuxer_position(decoder->demuxer);
}

/* The first frame that can be decoded tells what comes out. */
static enum vp_status decode_first(struct ffmpeg_decoder *decoder, const char *container,
                                   struct vp_err *err)
{
    int n_failures = 0;
    while (!next_frame(decoder) && ++n_failures < MOST_FAILURES && !decoder->has_ended)
        ;
    decoder->rate_hz = decoder->frame->sample_rate;
    decoder->channels = decoder->frame->ch_layout.nb_channels;
    if (decoder->wants_more)
        return status_fail(err, VP_ERR_AUDIO_UNDECODABLE,
                           "the %s file is damaged: much of it is no sound at all", container);
    if (decoder->has_ended || n_failures == MOST_FAILURES || decoder->rate_hz <= 0 ||
        decoder->channels <= 0)
        return status_fail(err, VP_ERR_AUDIO_UNDECODABLE,
                           "the %s file has no audio that can be decoded", container);
    return VP_OK;
}

/* Less what may be delay and padding. */
static uint64_t promised_frames(const struct ffmpeg_decoder *decoder)
{
    const double n = demuxer_duration_s(decoder->demuxer) * decoder->rate_hz - LEAST_SLACK -
                     3.0 * decoder->packet_frames;
    return n > 0.0 && n < MOST_PROMISED ? (uint64_t)n : 0;
}

enum vp_status ffmpeg_decoder_open(struct bytes file, const char *container, const char *demuxer,
                                   struct ffmpeg_decoder **out, struct ffmpeg_format *format,
                                   struct vp_err *err)
{
    *out = NULL;
    struct demuxer *opened;
    enum vp_status status = demuxer_open(file, container, demuxer, &opened, err);
    if (status != VP_OK)
        return status;
    struct ffmpeg_decoder *decoder = calloc(1, sizeof *decoder);
    if (decoder == NULL) {
        demuxer_close(opened);
        return status_no_memory(err, "a decoder", sizeof *decoder);
    }
    decoder->library = ffmpeg_library();
    decoder->demuxer = opened;
    status = open_codec(decoder, container, &format->codec, err);
    if (status == VP_OK)
        status = decode_first(decoder, container, err);
    if (status != VP_OK) {
        ffmpeg_decoder_close(decoder);
        return status;
    }
    format->rate_hz = (unsigned)decoder->rate_hz;
    format->channels = (unsigned)decoder->channels;
    format->n_frames = promised_frames(decoder);
    *out = decoder;
    return VP_OK;
}

void ffmpeg_decoder_close(struct ffmpeg_decoder *decoder)
{
    if (decoder == NULL)
        return;
    decoder->library->av_frame_free(&decoder->frame);
    decoder->library->avcodec_free_context(&decoder->codec);
    demuxer_close(decoder->demuxer);
    free(decoder);
}
