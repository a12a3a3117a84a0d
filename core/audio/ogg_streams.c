/* Packets are put together by libogg. Comments are looked for as libavformat does: it takes the
 * time of their number squared. */
#include "audio/ogg_streams.h"

#include "audio/container.h"

/* Of any packet. Comments are the largest, a picture among them; the decoder takes a packet in
 * whole, and of each comment makes several times its bytes. */
#define MAX_PACKET_BYTES  ((size_t)1 << 20)
#define MAX_COMMENTS      1024u
#define MAX_EMPTY_PACKETS 65536u /* a writer may end a stream with one; each costs time */

/* What the first packet begins with, and the packets of comments: its byte at lead_at, under mask,
 * is `lead`; or it is the second one. */
static const struct ogg_kind {
    const char *first;
    size_t comments_at; /* in the packet: length (4) and name of the encoder, count (4) */
    size_t lead_at;
    unsigned mask, lead; /* mask 0: the second packet */
    bool is_sound;
} kinds[] = {
    {"\x01vorbis", 7, 0, 0xFF, 3, true},
    {"OpusHead", 8, 0, 0xFF, 'O', true},
    {"\x7F"
     "FLAC",
     4, 0, 0x7F, 4, true},
    {"Speex   ", 0, 0, 0, 0, true},
    {"\x80theora", 7, 0, 0xFF, 0x81, false},
    {"OVP80", 7, 5, 0xFF, 2, false},
    {"fishead", 0, 0, 0, 0, false},
    {"BBCD", 0, 0, 0, 0, false},
};

static const struct ogg_kind *find_kind(struct bytes packet)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (bytes_match(packet, 0, kinds[i].first))
            return &kinds[i];
    return NULL;
}

bool ogg_is_known(struct bytes packet)
{
    return find_kind(packet) != NULL;
}

static void end(struct ogg_stream *stream)
{
    if (stream->kind != NULL)
        ogg_stream_clear(&stream->state);
    *stream = (struct ogg_stream){.kind = NULL};
}

void ogg_streams_end(struct ogg_streams *streams)
{
    for (size_t i = 0; i < OGG_MAX_STREAMS; i++)
        end(&streams->of[i]);
}

static enum vp_status begin(struct ogg_streams *streams, struct ogg_stream *stream,
                            const ogg_page *page, struct vp_err *err)
{
    const struct ogg_kind *kind = find_kind((struct bytes){page->body, (size_t)page->body_len});
    if (kind == NULL)
        return container_refuse(err, "ogg (unknown codec)");
    /* Of such a file libavformat decodes the first part alone, and says nothing. */
    if (kind->is_sound && streams->sound != NULL && streams->sound != kind)
        return container_refuse(err, "ogg of several codecs");
    if (kind->is_sound)
        streams->sound = kind;
    end(stream);
    if (ogg_stream_init(&stream->state, ogg_page_serialno(page)) != 0)
        return status_no_memory(err, "an ogg stream", sizeof *stream);
    stream->kind = kind;
    streams->n_begun++;
    return VP_OK;
}

/* The stream that the page belongs to, which may begin with it. */
static enum vp_status stream_of(struct ogg_streams *streams, const ogg_page *page,
                                struct ogg_stream **out, struct vp_err *err)
{
    struct ogg_stream *vacant = NULL, *own = NULL;
    for (size_t i = 0; i < OGG_MAX_STREAMS; i++) {
        struct ogg_stream *stream = &streams->of[i];
        if (stream->kind != NULL && stream->state.serialno == ogg_page_serialno(page))
            own = stream;
        else if (stream->kind == NULL || stream->has_ended)
            vacant = stream;
    }
    *out = own != NULL ? own : vacant;
    if (own != NULL && !ogg_page_bos(page))
        return VP_OK;
    if (*out == NULL)
        return container_refuse(err, "ogg of more than %u streams at a time", OGG_MAX_STREAMS);
    return begin(streams, *out, page, err);
}

/* Counts the page's part of the packet at hand, and the packets behind it. */
static enum vp_status count_packets(struct ogg_streams *streams, struct ogg_stream *stream,
                                    const ogg_page *page, struct vp_err *err)
{
    for (long i = OGG_HEAD_BYTES; i < page->header_len; i++) {
        stream->n_bytes += page->header[i];
        if (stream->n_bytes > MAX_PACKET_BYTES)
            return status_fail(err, VP_ERR_AUDIO_UNDECODABLE,
                               "the ogg file has a packet of more than 1 MiB, comments or a "
                               "picture most likely: take them out");
        if (page->header[i] == 255)
            continue;
        streams->n_empty += stream->n_bytes == 0;
        stream->n_bytes = 0;
    }
    if (streams->n_empty > MAX_EMPTY_PACKETS)
        return status_fail(err, VP_ERR_AUDIO_UNDECODABLE,
                           "the ogg file is damaged: more than %u of its packets are empty",
                           MAX_EMPTY_PACKETS);
    return VP_OK;
}

static bool has_comments(const struct ogg_stream *stream, struct bytes packet)
{
    const struct ogg_kind *kind = stream->kind;
    if (kind->mask == 0)
        return stream->n_packets == 1;
    return (bytes_little(packet, kind->lead_at, 1) & kind->mask) == kind->lead;
}

static enum vp_status check_packet(struct ogg_stream *stream, struct bytes packet,
                                   struct vp_err *err)
{
    if (!has_comments(stream, packet))
        return VP_OK;
    const size_t at = stream->kind->comments_at;
    const uint64_t count_at = at + 4 + bytes_little(packet, at, 4);
    if (bytes_little(packet, (size_t)count_at, 4) > MAX_COMMENTS)
        return status_fail(err, VP_ERR_AUDIO_UNDECODABLE,
                           "the ogg file has more than %u comments: take them out", MAX_COMMENTS);
    return VP_OK;
}

static enum vp_status check_packets(struct ogg_stream *stream, ogg_page *page, struct vp_err *err)
{
    ogg_packet packet;
    int found;
    if (ogg_stream_pagein(&stream->state, page) != 0)
        return status_no_memory(err, "an ogg page", (size_t)page->body_len);
    while ((found = ogg_stream_packetout(&stream->state, &packet)) != 0) {
        if (found < 0) /* pages are missing */
            continue;
        const struct bytes bytes = {packet.packet, (size_t)packet.bytes};
        const enum vp_status status = check_packet(stream, bytes, err);
        if (status != VP_OK)
            return status;
        stream->n_packets++;
    }
    return VP_OK;
}

/*
 * The number and the position of a page tell what was lost before it: of the samples between two
 * positions each page is taken to have the same share. What is missing in front of the first
 * position is not counted: who joins a broadcast gets its headers, and then pages from where it is.
 */
static void count_lost(struct ogg_streams *streams, struct ogg_stream *stream, const ogg_page *page)
{
    const long n_skipped = ogg_page_pageno(page) - stream->page - 1;
    const int64_t position = ogg_page_granulepos(page);
    stream->n_seen++;
    stream->n_missing += n_skipped > 0 ? (double)n_skipped : 0.0;
    if (position < 0) /* no packet ends here */
        return;
    if (stream->kind->is_sound && stream->position > 0 && position > stream->position)
        streams->n_lost += (double)(position - stream->position) * stream->n_missing /
                           (stream->n_missing + stream->n_seen);
    stream->position = position;
    stream->n_seen = stream->n_missing = 0.0;
}

enum vp_status ogg_streams_add(struct ogg_streams *streams, ogg_page *page, struct vp_err *err)
{
    struct ogg_stream *stream;
    enum vp_status status = stream_of(streams, page, &stream, err);
    if (status == VP_OK)
        status = count_packets(streams, stream, page, err);
    if (status != VP_OK)
        return status;
    const bool follows = ogg_page_pageno(page) == stream->page + 1 && ogg_page_continued(page);
    streams->is_broken |= stream->is_pending && !follows;
    count_lost(streams, stream, page);
    stream->page = ogg_page_pageno(page);
    if (page->header_len > OGG_HEAD_BYTES)
        stream->is_pending = page->header[page->header_len - 1] == 255;
    stream->has_ended = ogg_page_eos(page);
    return check_packets(stream, page, err);
}
