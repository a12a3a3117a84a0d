/*
 * Ogg pages: "OggS", version, flags, position (8), serial (4), number (4), checksum (4), count of
 * segments, their lengths, then the segments. libogg drops damaged pages without a word, so a
 * recording with holes would be embedded as if it were whole: hence the walk here.
 *
 * The decoders read the first stream only: a file of several, chained or side by side, would be
 * embedded in part, and is refused.
 *
 * A stream whose last page is complete but not marked as the last is accepted: those who stream
 * live cannot always mark it, and a cut at exactly the end of a page is rare.
 */
#include "audio/ogg.h"

#include "audio/vorbis.h"

#include <stdlib.h>

#define HEAD_BYTES      27u
#define VERSION_AT      4u
#define FLAGS_AT        5u
#define SERIAL_AT       14u
#define NUMBER_AT       18u
#define CHECKSUM_AT     22u
#define CONTINUED       0x01u
#define FIRST           0x02u
#define END_OF_STREAM   0x04u
#define MAX_SETUP_BYTES ((size_t)1 << 18) /* encoders write some 4 to 8 KiB */

/* CRC-32 with polynomial 0x04C11DB7, most significant bit first, start 0. */
static void make_table(uint32_t table[256])
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i << 24;
        for (int bit = 0; bit < 8; bit++)
            crc = crc << 1 ^ (crc >> 31 ? 0x04C11DB7u : 0);
        table[i] = crc;
    }
}

/* Over one page, its own checksum field counted as zero. */
static uint32_t checksum(const uint32_t table[256], struct bytes page)
{
    uint32_t crc = 0;
    for (size_t i = 0; i < page.n; i++) {
        const bool own = i >= CHECKSUM_AT && i < CHECKSUM_AT + 4;
        crc = crc << 8 ^ table[crc >> 24 ^ (own ? 0 : page.at[i])];
    }
    return crc;
}

/* Bytes of the page at `at`, head included; 0 when even its head is cut. */
static size_t page_bytes(struct bytes file, size_t at)
{
    if (!bytes_have(file, at, HEAD_BYTES))
        return 0;
    const size_t n_segments = file.at[at + HEAD_BYTES - 1];
    if (!bytes_have(file, at + HEAD_BYTES, n_segments))
        return 0;
    size_t n = HEAD_BYTES + n_segments;
    for (size_t i = 0; i < n_segments; i++)
        n += file.at[at + HEAD_BYTES + i];
    return n;
}

static enum vp_status check_pages(struct bytes file, struct vp_err *err)
{
    uint32_t table[256];
    make_table(table);
    const uint64_t serial = bytes_little(file, SERIAL_AT, 4);
    bool ended = false;
    for (size_t at = 0; at < file.n;) {
        if (!bytes_match(file, at, "OggS")) {
            if (ended)
                return VP_OK; /* something was appended: not our business */
            return status_fail(err, VP_ERR_AUDIO_UNDECODABLE,
                               "the ogg file is damaged or cut: no page at byte %zu", at);
        }
        const size_t n = page_bytes(file, at);
        if (n == 0 || !bytes_have(file, at, n))
            return container_cut(err, "ogg", "its last page", n > 0 ? n : HEAD_BYTES, file.n - at);
        const struct bytes page = bytes_from(file, at, n);
        if (checksum(table, page) != bytes_little(page, CHECKSUM_AT, 4))
            return status_fail(err, VP_ERR_AUDIO_UNDECODABLE,
                               "the ogg file is damaged: the page at byte %zu fails its checksum",
                               at);
        if (bytes_little(page, SERIAL_AT, 4) != serial || (at > 0 && page.at[FLAGS_AT] & FIRST))
            return container_refuse(err, "ogg of several streams");
        ended = page.at[FLAGS_AT] & END_OF_STREAM;
        at += n;
    }
    return VP_OK;
}

/*
 * Packet `wanted` of the stream: what fits into [capacity], and its length. Pages up to its end
 * must follow each other without a gap, as the decoder wants them, so that both read the same.
 * False when there is none such.
 */
static bool read_packet(struct bytes file, unsigned wanted, unsigned char *into, size_t capacity,
                        size_t *n)
{
    uint32_t number = (uint32_t)bytes_little(file, NUMBER_AT, 4);
    unsigned packet = 0;
    bool pending = false;
    *n = 0;
    for (size_t at = 0, size; (size = page_bytes(file, at)) > 0; at += size) {
        const struct bytes page = bytes_from(file, at, size);
        if (!bytes_match(page, 0, "OggS") || page.n < size || page.at[VERSION_AT] != 0 ||
            bytes_little(page, NUMBER_AT, 4) != number++ ||
            ((page.at[FLAGS_AT] & CONTINUED) != 0) != pending)
            return false;
        const size_t n_segments = page.at[HEAD_BYTES - 1];
        size_t from = HEAD_BYTES + n_segments;
        for (size_t i = 0; i < n_segments; i++) {
            const size_t length = page.at[HEAD_BYTES + i];
            if (packet == wanted) {
                const size_t kept = *n < capacity ? *n : capacity, room = capacity - kept;
                memcpy(into + kept, page.at + from, length < room ? length : room);
                *n += length;
            }
            from += length;
            pending = length == 255;
            packet += !pending;
            if (packet > wanted)
                return true;
        }
    }
    return false;
}

/* All that the decoder reads before the first sample: what it finds wrong here it may leak or
 * follow into the dark. */
static enum vp_status check_vorbis(struct bytes file, struct vp_err *err)
{
    size_t n_ident, n_comment, n_setup;
    unsigned char ident[VORBIS_IDENT_BYTES], comment[7];
    unsigned char *setup = malloc(MAX_SETUP_BYTES);
    enum vp_status status = VP_OK;
    if (setup == NULL)
        return status_no_memory(err, "a setup header", MAX_SETUP_BYTES);
    /* The first page is the first packet, and nothing else. */
    if (!(file.at[FLAGS_AT] & FIRST) || file.at[HEAD_BYTES - 1] != 1 ||
        !read_packet(file, 0, ident, sizeof ident, &n_ident) ||
        !read_packet(file, 1, comment, sizeof comment, &n_comment) ||
        !read_packet(file, 2, setup, MAX_SETUP_BYTES, &n_setup) || n_ident < sizeof ident ||
        n_comment < sizeof comment || memcmp(comment, "\x03vorbis", sizeof comment) != 0 ||
        n_setup > MAX_SETUP_BYTES)
        status = status_fail(err, VP_ERR_AUDIO_UNDECODABLE,
                             "the ogg file is damaged or cut: its header packets are not whole");
    if (status == VP_OK)
        status = vorbis_check_ident((struct bytes){ident, sizeof ident}, err);
    if (status == VP_OK)
        status = vorbis_check_setup((struct bytes){setup, n_setup}, err);
    free(setup);
    return status;
}

enum vp_status ogg_read(struct bytes file, struct container *out, struct vp_err *err)
{
    static const struct {
        const char *text, *name;
    } refused[] = {
        {"\x7F"
         "FLAC",
         "ogg flac"},
        {"Speex   ", "ogg speex"},
        {"\x80theora", "ogg theora"},
        {"fishead", "ogg skeleton"},
        {"BBCD", "ogg dirac"},
        {"OVP80", "ogg vp8"},
    };
    const size_t first_at = HEAD_BYTES + (size_t)bytes_little(file, HEAD_BYTES - 1, 1);
    const bool vorbis = bytes_match(file, first_at, "\x01vorbis");
    if (!vorbis && !bytes_match(file, first_at, "OpusHead")) {
        for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
            if (bytes_match(file, first_at, refused[i].text))
                return container_refuse(err, "%s", refused[i].name);
        if (bytes_have(file, first_at, 8))
            return container_refuse(err, "ogg (unknown codec)");
    }
    *out = (struct container){
        .name = "ogg",
        .codec = vorbis ? "vorbis" : "opus",
        .full_scale = 0.9999F,
        .data = file,
    };
    enum vp_status status = check_pages(file, err);
    return status == VP_OK && vorbis ? check_vorbis(file, err) : status;
}
