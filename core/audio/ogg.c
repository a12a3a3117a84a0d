/*
 * Ogg pages, read by libogg: framing, checksums, packets. What is accepted is decided here.
 *
 * libogg drops damaged pages without a word, so a recording with holes would be embedded as if it
 * were whole: hence the walk over all pages, each of which must follow the one before. Pages that
 * are missing altogether are counted, see ogg_streams.c.
 *
 * libsndfile reads the first stream only: a file of several, chained or side by side, would be
 * embedded in part, and goes to libavformat, like codecs other than Vorbis and Opus.
 *
 * A stream whose last page is complete but not marked as the last is accepted: those who stream
 * live cannot always mark it, and a cut at exactly the end of a page is rare.
 */
#include "audio/ogg.h"

#include "audio/media.h"
#include "audio/ogg_streams.h"
#include "audio/vorbis.h"

#define FEED_BYTES      ((size_t)1 << 16)
#define MAX_SETUP_BYTES ((size_t)1 << 18)   /* encoders write some 4 to 8 KiB */
#define MOST_LOST       ((uint64_t)1 << 50) /* so that sums do not overflow */
#define N_HEADERS       3u                  /* packets before the first sample of Vorbis */

/* Pages of a file, one after another. */
struct walk {
    struct bytes file;
    ogg_sync_state sync;
    size_t at;    /* of the page to come */
    size_t n_fed; /* bytes that libogg has */
};

enum page_result { PAGE_READ, PAGE_NONE, PAGE_DAMAGED, PAGE_CUT, PAGE_NO_MEMORY };

static void walk_begin(struct walk *walk, struct bytes file)
{
    *walk = (struct walk){.file = file};
    ogg_sync_init(&walk->sync);
}

static void walk_end(struct walk *walk)
{
    ogg_sync_clear(&walk->sync);
}

/* The page at walk->at, borrowed until the next call; *n_bytes is its length, or with PAGE_CUT what
 * it should have been. PAGE_NONE: no page begins there. */
static enum page_result next_page(struct walk *walk, ogg_page *page, size_t *n_bytes)
{
    long n;
    if (!bytes_match(walk->file, walk->at, "OggS"))
        return PAGE_NONE;
    while ((n = ogg_sync_pageseek(&walk->sync, page)) == 0) {
        const struct bytes more = bytes_from(walk->file, walk->n_fed, FEED_BYTES);
        if (more.n == 0) {
            *n_bytes = walk->sync.headerbytes > 0
                           ? (size_t)walk->sync.headerbytes + (size_t)walk->sync.bodybytes
                           : OGG_HEAD_BYTES;
            return PAGE_CUT;
        }
        char *room = ogg_sync_buffer(&walk->sync, (long)more.n);
        if (room == NULL)
            return PAGE_NO_MEMORY;
        memcpy(room, more.at, more.n);
        ogg_sync_wrote(&walk->sync, (long)more.n);
        walk->n_fed += more.n;
    }
    if (n < 0) /* it has skipped to the next thing that looks like a page */
        return PAGE_DAMAGED;
    *n_bytes = (size_t)n;
    walk->at += (size_t)n;
    return PAGE_READ;
}

static enum vp_status check_page(const struct walk *walk, enum page_result result, size_t n_bytes,
                                 struct vp_err *err)
{
    switch (result) {
    case PAGE_READ:
        return VP_OK;
    case PAGE_NONE:
        return status_fail(err, VP_ERR_AUDIO_UNDECODABLE,
                           "the ogg file is damaged or cut: no page at byte %zu", walk->at);
    case PAGE_DAMAGED:
        return status_fail(err, VP_ERR_AUDIO_UNDECODABLE,
                           "the ogg file is damaged: the page at byte %zu fails its checksum",
                           walk->at);
    case PAGE_CUT:
        return container_cut(err, "ogg", "its last page", n_bytes, walk->file.n - walk->at);
    case PAGE_NO_MEMORY:
        break;
    }
    return status_no_memory(err, "an ogg page", FEED_BYTES);
}

/* What the pages of a file make. */
struct content {
    bool several; /* more than one stream, one behind the other or side by side */
    bool is_broken;
    uint64_t n_lost; /* samples of missing pages */
};

static enum vp_status check_pages(struct bytes file, struct content *content, struct vp_err *err)
{
    struct walk walk;
    struct ogg_streams streams = {.n_begun = 0};
    enum vp_status status = VP_OK;
    bool ended = false;
    walk_begin(&walk, file);
    while (status == VP_OK && walk.at < file.n) {
        ogg_page page;
        size_t n_bytes = 0;
        const enum page_result result = next_page(&walk, &page, &n_bytes);
        if (result == PAGE_NONE && ended)
            break; /* something was appended: not our business */
        status = check_page(&walk, result, n_bytes, err);
        if (status != VP_OK)
            break;
        status = ogg_streams_add(&streams, &page, err);
        ended = ogg_page_eos(&page);
    }
    *content = (struct content){
        .several = streams.n_begun > 1,
        .is_broken = streams.is_broken,
        .n_lost = streams.n_lost < MOST_LOST ? (uint64_t)streams.n_lost : MOST_LOST,
    };
    ogg_streams_end(&streams);
    walk_end(&walk);
    return status;
}

/* Does the page's last packet go on in the next one? */
static bool is_pending(const ogg_page *page)
{
    return page->header_len > OGG_HEAD_BYTES && page->header[page->header_len - 1] == 255;
}

static enum vp_status bad_headers(struct vp_err *err)
{
    return status_fail(err, VP_ERR_AUDIO_UNDECODABLE,
                       "the ogg file is damaged or cut: its header packets are not whole");
}

static enum vp_status packets_missing(struct vp_err *err)
{
    return status_fail(err, VP_ERR_AUDIO_UNDECODABLE,
                       "the ogg file is damaged: a page is missing in the middle of a packet");
}

/* Header packet `i` of Vorbis. */
static enum vp_status check_header(const ogg_packet *packet, unsigned i, struct vp_err *err)
{
    const struct bytes bytes = {packet->packet, (size_t)packet->bytes};
    if (i == 0)
        return bytes.n < VORBIS_IDENT_BYTES
                   ? bad_headers(err)
                   : vorbis_check_ident(bytes_from(bytes, 0, VORBIS_IDENT_BYTES), err);
    if (i == 1)
        return bytes_match(bytes, 0, "\x03vorbis") ? VP_OK : bad_headers(err);
    return bytes.n > MAX_SETUP_BYTES ? bad_headers(err) : vorbis_check_setup(bytes, err);
}

/*
 * All that the decoder reads before the first sample: it may leak or misread malformed headers.
 * They are taken apart by the library that the decoder uses, so that both see the same. Pages must
 * follow each other without a gap, and the first page is the first packet, nothing else.
 */
static enum vp_status check_headers(struct walk *walk, ogg_stream_state *stream, struct vp_err *err)
{
    ogg_page page;
    ogg_packet packet;
    bool pending = false;
    long number = 0;
    size_t n_bytes;
    for (unsigned n_packets = 0; n_packets < N_HEADERS;) {
        const bool first = walk->at == 0;
        const enum page_result result = next_page(walk, &page, &n_bytes);
        if (result != PAGE_READ)
            return result == PAGE_NO_MEMORY ? check_page(walk, result, 0, err) : bad_headers(err);
        if (first && (!ogg_page_bos(&page) || page.header_len != OGG_HEAD_BYTES + 1))
            return bad_headers(err);
        if (first && ogg_stream_init(stream, ogg_page_serialno(&page)) != 0)
            return status_no_memory(err, "an ogg stream", sizeof *stream);
        if ((!first && ogg_page_pageno(&page) != number + 1) ||
            (ogg_page_continued(&page) != 0) != pending || ogg_stream_pagein(stream, &page) != 0)
            return bad_headers(err);
        number = ogg_page_pageno(&page);
        pending = page.header_len > OGG_HEAD_BYTES ? is_pending(&page) : pending;
        int found;
        while (n_packets < N_HEADERS && (found = ogg_stream_packetout(stream, &packet)) != 0) {
            const enum vp_status status =
                found < 0 ? bad_headers(err) : check_header(&packet, n_packets, err);
            if (status != VP_OK)
                return status;
            n_packets++;
        }
    }
    return VP_OK;
}

static enum vp_status check_vorbis(struct bytes file, struct vp_err *err)
{
    struct walk walk;
    ogg_stream_state stream = {0};
    walk_begin(&walk, file);
    const enum vp_status status = check_headers(&walk, &stream, err);
    ogg_stream_clear(&stream);
    walk_end(&walk);
    return status;
}

enum vp_status ogg_read(struct bytes file, struct container *out, struct vp_err *err)
{
    const size_t first_at =
        (size_t)OGG_HEAD_BYTES + (size_t)bytes_little(file, OGG_HEAD_BYTES - 1, 1);
    const bool vorbis = bytes_match(file, first_at, "\x01vorbis");
    const bool opus = bytes_match(file, first_at, "OpusHead");
    if (bytes_have(file, first_at, 8) && !ogg_is_known(bytes_from(file, first_at, 8)))
        return container_refuse(err, "ogg (unknown codec)");
    struct content content;
    enum vp_status status = check_pages(file, &content, err);
    if (status != VP_OK)
        return status;
    const bool by_libavformat = (!vorbis && !opus) || content.several;
    if (by_libavformat)
        media_of(file, "ogg", "ogg", out);
    else
        *out = (struct container){
            .name = "ogg",
            .codec = vorbis ? "vorbis" : "opus",
            .full_scale = 0.9999F,
            .data = file,
        };
    out->remarks = content.is_broken || content.n_lost > 0 ? VP_WARN_DAMAGED : 0;
    out->n_lost = content.n_lost;
    out->lost_rate_hz = opus ? OPUS_RATE_HZ : 0;
    if (by_libavformat)
        return content.is_broken ? packets_missing(err) : VP_OK;
    return vorbis ? check_vorbis(file, err) : VP_OK;
}
