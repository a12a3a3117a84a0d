/*
 * libavformat over bytes in memory. The demuxer is named, the list of allowed ones holds no other,
 * and there is no protocol, so that references from one file to another end in nothing. What a
 * header may cost is bounded: tracks, bytes fetched, CPU time, one allocation; and where few bytes
 * become much, they are measured first (mp4.h, matroska.h, ogg.c).
 *
 * avformat_find_stream_info is not called: it would open decoders, for pictures as well.
 */
#include "audio/demuxer.h"

#include "audio/container.h"
#include "audio/matroska.h"
#include "audio/mp4.h"

#include <stdlib.h>
#include <time.h>

#define IO_BYTES     (32 * 1024)
#define MOST_STREAMS 16
/* Of CPU time: for a header, and for each packet of the track that comes of it. An hour's recording
 * takes 0.1 s in all. */
#define MOST_DEMUX_S  0.1
#define MOST_PACKET_S 20e-6
/* Times the length of the file that may be fetched: no demuxer needs it. */
#define MOST_REREADING 16

struct demuxer {
    const struct ffmpeg_library *library; /* static */
    struct bytes file;                    /* borrowed */
    size_t position;                      /* of libavformat in file */
    uint64_t n_fetched;
    double demuxed_s, began_s; /* CPU time so far; when the present turn began */
    uint64_t n_packets;        /* of the track, so far */
    bool is_out_of_time;
    AVIOContext *io;        /* owned, its buffer too */
    AVFormatContext *media; /* owned */
    AVPacket *packet;       /* owned */
    int stream;
};

/* ---- the demuxer's time --------------------------------------------------------------------- */

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void turn_begins(struct demuxer *demuxer)
{
    demuxer->began_s = now_s();
}

static void turn_ends(struct demuxer *demuxer)
{
    demuxer->demuxed_s += now_s() - demuxer->began_s;
}

/* Tables that ask for a search at every entry make seconds out of kilobytes. */
static bool is_in_time(struct demuxer *demuxer)
{
    const double most_s = MOST_DEMUX_S + MOST_PACKET_S * (double)demuxer->n_packets;
    demuxer->is_out_of_time |= demuxer->demuxed_s + (now_s() - demuxer->began_s) > most_s;
    return !demuxer->is_out_of_time;
}

/* ---- what libavformat calls ----------------------------------------------------------------- */

static int on_read(void *user, uint8_t *into, int n)
{
    struct demuxer *demuxer = user;
    const struct bytes piece = bytes_from(demuxer->file, demuxer->position, (uint64_t)n);
    demuxer->n_fetched += piece.n;
    if (piece.n == 0 || !is_in_time(demuxer) ||
        demuxer->n_fetched > MOST_REREADING * (uint64_t)demuxer->file.n + IO_BYTES)
        return AVERROR_EOF;
    memcpy(into, piece.at, piece.n);
    demuxer->position += piece.n;
    return (int)piece.n;
}

static int64_t on_seek(void *user, int64_t offset, int whence)
{
    struct demuxer *demuxer = user;
    const int64_t size = (int64_t)demuxer->file.n;
    int64_t target;
    if (whence & AVSEEK_SIZE)
        return size;
    whence &= ~AVSEEK_FORCE;
    const int64_t base = whence == SEEK_CUR   ? (int64_t)demuxer->position
                         : whence == SEEK_END ? size
                                              : 0;
    if (__builtin_add_overflow(base, offset, &target) || target < 0 || target > size)
        return AVERROR(EINVAL);
    demuxer->position = (size_t)target;
    return target;
}

/* A file that refers to another one gets none. */
static int on_open(AVFormatContext *media, AVIOContext **io, const char *url, int flags,
                   AVDictionary **options)
{
    (void)media;
    (void)url;
    (void)flags;
    (void)options;
    *io = NULL;
    return AVERROR(EACCES);
}

/* ---- opening -------------------------------------------------------------------------------- */

static enum vp_status allocate_media(struct demuxer *demuxer, const AVInputFormat *format,
                                     struct vp_err *err)
{
    const struct ffmpeg_library *library = demuxer->library;
    unsigned char *buffer = library->av_malloc(IO_BYTES);
    if (buffer != NULL)
        demuxer->io =
            library->avio_alloc_context(buffer, IO_BYTES, 0, demuxer, on_read, NULL, on_seek);
    if (demuxer->io == NULL)
        library->av_free(buffer);
    AVFormatContext *media = demuxer->media = library->avformat_alloc_context();
    demuxer->packet = library->av_packet_alloc();
    if (demuxer->io == NULL || media == NULL || demuxer->packet == NULL)
        return status_no_memory(err, "a demuxer", IO_BYTES);
    media->pb = demuxer->io;
    /* the index of a file serves jumps, which nobody makes here */
    media->flags |= AVFMT_FLAG_CUSTOM_IO | AVFMT_FLAG_DISCARD_CORRUPT | AVFMT_FLAG_IGNIDX;
    media->io_open = on_open;
    media->max_streams = MOST_STREAMS;
    media->format_whitelist = library->av_strdup(format->name);
    media->protocol_whitelist = library->av_strdup("");
    if (media->format_whitelist == NULL || media->protocol_whitelist == NULL)
        return status_no_memory(err, "a demuxer", IO_BYTES);
    return VP_OK;
}

static enum vp_status open_media(struct demuxer *demuxer, const char *container,
                                 const char *format_name, struct vp_err *err)
{
    const AVInputFormat *format = demuxer->library->av_find_input_format(format_name);
    if (format == NULL)
        return container_refuse(err, "%s (FFmpeg without its demuxer)", container);
    enum vp_status status = allocate_media(demuxer, format, err);
    if (status == VP_OK && strcmp(format_name, "mov") == 0)
        status = mp4_check(demuxer->file, container, err);
    if (status == VP_OK && strcmp(format_name, "matroska") == 0)
        status = matroska_check(demuxer->file, container, err);
    if (status != VP_OK)
        return status;
    turn_begins(demuxer);
    const int opened = demuxer->library->avformat_open_input(&demuxer->media, NULL, format, NULL);
    turn_ends(demuxer);
    if (opened < 0) /* demuxer->media was freed */
        return status_fail(err, VP_ERR_AUDIO_UNDECODABLE,
                           "the %s file cannot be decoded: its header is damaged or cut",
                           container);
    return VP_OK;
}

/* The first audio track; the others are left where they are. */
static enum vp_status choose_stream(struct demuxer *demuxer, const char *container,
                                    struct vp_err *err)
{
    AVFormatContext *media = demuxer->media;
    demuxer->stream = -1;
    for (unsigned i = 0; i < media->nb_streams; i++) {
        const bool is_first =
            demuxer->stream < 0 && media->streams[i]->codecpar->codec_type == AVMEDIA_TYPE_AUDIO;
        if (is_first)
            demuxer->stream = (int)i;
        media->streams[i]->discard = is_first ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
    }
    if (demuxer->stream < 0)
        return container_refuse(err, "%s (no audio track)", container);
    return VP_OK;
}

enum vp_status demuxer_open(struct bytes file, const char *container, const char *format_name,
                            struct demuxer **out, struct vp_err *err)
{
    *out = NULL;
    const struct ffmpeg_library *library = ffmpeg_library();
    if (library == NULL)
        return container_refuse(err, "%s (needs libavformat" FFMPEG_LIBRARY_VERSION ")", container);
    struct demuxer *demuxer = calloc(1, sizeof *demuxer);
    if (demuxer == NULL)
        return status_no_memory(err, "a demuxer", sizeof *demuxer);
    demuxer->library = library;
    demuxer->file = file;
    enum vp_status status = open_media(demuxer, container, format_name, err);
    if (status == VP_OK)
        status = choose_stream(demuxer, container, err);
    if (status == VP_OK)
        *out = demuxer;
    else
        demuxer_close(demuxer);
    return status;
}

void demuxer_close(struct demuxer *demuxer)
{
    if (demuxer == NULL)
        return;
    const struct ffmpeg_library *library = demuxer->library;
    library->av_packet_free(&demuxer->packet);
    library->avformat_close_input(&demuxer->media);
    if (demuxer->io != NULL)
        library->av_free(demuxer->io->buffer);
    library->avio_context_free(&demuxer->io);
    free(demuxer);
}

const AVStream *demuxer_track(const struct demuxer *demuxer)
{
    return demuxer->media->streams[demuxer->stream];
}

double demuxer_duration_s(const struct demuxer *demuxer)
{
    const AVStream *stream = demuxer_track(demuxer);
    if (stream->duration > 0)
        return (double)stream->duration * av_q2d(stream->time_base);
    return demuxer->media->duration > 0 ? (double)demuxer->media->duration / AV_TIME_BASE : 0.0;
}

bool demuxer_is_out_of_time(const struct demuxer *demuxer)
{
    return demuxer->is_out_of_time;
}

size_t demuxer_position(const struct demuxer *demuxer)
{
    return demuxer->position;
}

/* ---- packets -------------------------------------------------------------------------------- */

/* Opus is decoded at 48 kHz, always. WebM may state the rate before coding, and libavformat counts
 * the padding of the last packet by that. Its side data: samples to skip, to discard, 32 bits each.
 */
static void mend_padding(const struct demuxer *demuxer)
{
    const AVCodecParameters *parameters = demuxer_track(demuxer)->codecpar;
    size_t n = 0;
    unsigned char *counts =
        demuxer->library->av_packet_get_side_data(demuxer->packet, AV_PKT_DATA_SKIP_SAMPLES, &n);
    if (counts == NULL || n < 8 || parameters->codec_id != AV_CODEC_ID_OPUS ||
        parameters->sample_rate <= 0)
        return;
    uint64_t discard = bytes_little((struct bytes){counts, n}, 4, 4);
    discard = discard * OPUS_RATE_HZ / (unsigned)parameters->sample_rate;
    for (unsigned i = 0; i < 4; i++)
        counts[4 + i] = (unsigned char)(discard >> 8 * i);
}

const AVPacket *demuxer_next(struct demuxer *demuxer)
{
    const struct ffmpeg_library *library = demuxer->library;
    int status;
    turn_begins(demuxer);
    do {
        library->av_packet_unref(demuxer->packet);
        status = library->av_read_frame(demuxer->media, demuxer->packet);
    } while (status >= 0 && demuxer->packet->stream_index != demuxer->stream &&
             is_in_time(demuxer));
    turn_ends(demuxer);
    if (status < 0 || demuxer->is_out_of_time)
        return NULL;
    demuxer->n_packets++;
    mend_padding(demuxer);
    return demuxer->packet;
}
