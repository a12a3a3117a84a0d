/*
 * "fLaC", metadata blocks (the first is STREAMINFO), frames. A frame's header has a checksum of its
 * own and says which frame, or which sample, it is; the frame ends with a checksum of 16 bits.
 *
 *   frame   14 sync bits, 0, 1 bit: samples are counted, not frames; 4 bits block size, 4 rate;
 *           4 channels, 3 sample size, 0; the number as in UTF-8; the block size and the rate in
 *           full where their codes say so; CRC-8
 *
 * Where the last frame is whole, nothing was cut on the way, whatever STREAMINFO promises: tools
 * that copy a part of a stream keep the count of the whole. Where it is not, the promise holds.
 */
#include "audio/flac.h"

#include "audio/tags.h"

#define STREAMINFO_AT   8u
#define COUNT_AT        (STREAMINFO_AT + 14)  /* the lower 32 of 36 bits */
#define HEADER_BYTES    CONTAINER_HEAD_BYTES  /* the marker and STREAMINFO */
#define MAX_CANDIDATES  8                     /* what looks like the header of the last frame */
#define MAX_FRAME_BYTES ((size_t)1 << 21)     /* 8 channels x 65535 samples of 32 bits */
#define SEARCH_BYTES    (4 * MAX_FRAME_BYTES) /* from the end, for the last frame */

struct frame {
    size_t header_bytes;
    bool counts_samples;
    uint64_t number; /* of the frame, or of its first sample */
    unsigned n_samples;
};

/* Polynomials 0x07 and 0x8005, most significant bit first, start 0. */
static unsigned crc8(const unsigned char *at, size_t n)
{
    unsigned crc = 0;
    for (size_t i = 0; i < n; i++) {
        crc ^= at[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc << 1 ^ (crc & 0x80 ? 0x07 : 0)) & 0xFF;
    }
    return crc;
}

static void make_table(uint16_t table[256])
{
    for (unsigned i = 0; i < 256; i++) {
        unsigned crc = i << 8;
        for (int bit = 0; bit < 8; bit++)
            crc = crc << 1 ^ (crc & 0x8000 ? 0x8005 : 0);
        table[i] = (uint16_t)crc;
    }
}

/* The number of a frame, coded like a letter of UTF-8, in up to 7 bytes; returns how many, 0: none.
 */
static size_t read_number(struct bytes file, size_t at, uint64_t *number)
{
    const unsigned first = (unsigned)bytes_big(file, at, 1);
    size_t n = 0;
    while (n < 8 && first & 0x80u >> n)
        n++;
    if (n == 1 || n == 8 || !bytes_have(file, at, n > 0 ? n : 1))
        return 0;
    *number = n == 0 ? first : first & (0x7Fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((file.at[at + i] & 0xC0) != 0x80)
            return 0;
        *number = *number << 6 | (file.at[at + i] & 0x3F);
    }
    return n > 0 ? n : 1;
}

static unsigned block_size(unsigned code, struct bytes file, size_t at)
{
    if (code == 1)
        return 192;
    if (code <= 5)
        return 576u << (code - 2);
    if (code <= 7)
        return (unsigned)bytes_big(file, at, code - 5) + 1;
    return 256u << (code - 8);
}

/* Is there a frame's header at `at`? */
static bool read_frame(struct bytes file, size_t at, struct frame *frame)
{
    if (!bytes_have(file, at, 6) || file.at[at] != 0xFF || (file.at[at + 1] & 0xFE) != 0xF8)
        return false;
    const unsigned size_code = file.at[at + 2] >> 4, rate_code = file.at[at + 2] & 15;
    if (size_code == 0 || rate_code == 15 || file.at[at + 3] >> 4 > 10 || file.at[at + 3] & 1)
        return false;
    const size_t n_number = read_number(file, at + 4, &frame->number);
    if (n_number == 0)
        return false;
    const size_t n_size = size_code == 6 ? 1 : size_code == 7 ? 2 : 0;
    const size_t n_rate = rate_code == 12 ? 1 : rate_code > 12 ? 2 : 0;
    const size_t n = 4 + n_number + n_size + n_rate;
    if (!bytes_have(file, at, n + 1) || crc8(file.at + at, n) != file.at[at + n])
        return false;
    frame->header_bytes = n + 1;
    frame->counts_samples = file.at[at + 1] & 1;
    frame->n_samples = block_size(size_code, file, at + 4 + n_number);
    return true;
}

/* Where the first frame begins. False: the metadata is cut, or is none. */
static bool find_first(struct bytes file, size_t *at, size_t *promised)
{
    bool is_last = false;
    *at = 4;
    for (unsigned n_blocks = 0; !is_last; n_blocks++) {
        if (!bytes_have(file, *at, 4) || n_blocks == CONTAINER_MAX_CHUNKS)
            return false;
        is_last = file.at[*at] & 0x80;
        *promised = (size_t)bytes_big(file, *at + 1, 3);
        if (!bytes_have(file, *at + 4, *promised))
            return false;
        *at += 4 + *promised;
    }
    return true;
}

/* Does the frame at `at` end within the file, with nothing but tags and padding behind it? Its last
 * two bytes are the checksum of those before. A checksum that fits still fits with a 0 behind it:
 * that 0 may be its own second byte or padding, which only decoding can tell. The decoder does not
 * mind one byte too many, so it gets it. */
static bool is_whole(struct bytes file, size_t audio_end, size_t at, size_t header_bytes,
                     size_t *end)
{
    uint16_t table[256];
    make_table(table);
    const size_t most = file.n - at < MAX_FRAME_BYTES ? file.n : at + MAX_FRAME_BYTES;
    unsigned crc = 0; /* of what lies before i */
    for (size_t i = at; i + 2 <= most; i++) {
        if (i > at + header_bytes && i + 2 >= audio_end && bytes_big(file, i, 2) == crc) {
            const bool zero_follows = i + 2 < file.n && file.at[i + 2] == 0;
            *end = i + 2 + (zero_follows ? 1 : 0);
            return true;
        }
        crc = (crc << 8 & 0xFFFF) ^ table[crc >> 8 ^ file.at[i]];
    }
    return false;
}

struct extent {
    bool found, whole;
    struct frame last;
    size_t end; /* behind the last frame, where it is whole */
};

/* Walks back from the end, where tags and padding are, to the last frame. What looks like a header
 * may lie inside a frame, so a few are tried; the last one found counts where none is whole. */
static struct extent find_last(struct bytes file, size_t first_at)
{
    struct extent extent = {.found = false};
    int n_candidates = 0;
    const size_t audio_end = tags_cut_back(file).n;
    const size_t least = audio_end > first_at + SEARCH_BYTES ? audio_end - SEARCH_BYTES : first_at;
    for (size_t at = audio_end; at > least && n_candidates < MAX_CANDIDATES; at--) {
        struct frame frame;
        if (!read_frame(file, at - 1, &frame))
            continue;
        n_candidates++;
        const bool whole = is_whole(file, audio_end, at - 1, frame.header_bytes, &extent.end);
        if (!extent.found || whole)
            extent.last = frame;
        extent.found = true;
        if (whole) {
            extent.whole = true;
            break;
        }
    }
    return extent;
}

/* Does another stream begin behind `at`? Its marker and the head of STREAMINFO, which is 34 bytes
 * long, are 64 bits: no frame holds them by chance. */
static bool holds_another(struct bytes file, size_t at)
{
    static const char marker[4] = {'f', 'L', 'a', 'C'};
    const unsigned char *found;
    while ((found = memmem(file.at + at, file.n - at, marker, sizeof marker)) != NULL) {
        at = (size_t)(found - file.at) + sizeof marker;
        if (bytes_have(file, at, 4) && (bytes_big(file, at, 4) & 0x7FFFFFFF) == 0x22)
            return true;
    }
    return false;
}

/* The decoder is shown the marker and STREAMINFO, as if no other metadata followed: it would take
 * pictures and comments into its memory, whatever they ask for. The count of samples is shown as
 * unknown. */
static void show_head(struct bytes stream, struct container *out)
{
    memcpy(out->head, stream.at, HEADER_BYTES);
    out->head[4] |= 0x80; /* the last block of metadata */
    memset(out->head + COUNT_AT, 0, 4);
    out->n_head = HEADER_BYTES;
}

bool flac_is(struct bytes stream)
{
    return bytes_match(stream, 0, "fLaC");
}

enum vp_status flac_read(struct bytes stream, struct container *out, struct vp_err *err)
{
    size_t first_at, promised = HEADER_BYTES;
    if (!bytes_have(stream, 0, HEADER_BYTES) || !find_first(stream, &first_at, &promised))
        return container_cut(err, "flac", "its header", promised, stream.n);
    if (holds_another(stream, first_at))
        return status_fail(err, VP_ERR_AUDIO_UNDECODABLE,
                           "the file holds several FLAC streams, one behind the other, of which a "
                           "decoder plays the first; send each by itself");
    *out = (struct container){
        .name = "flac",
        .codec = "flac",
        .full_scale = 0.9999F,
        .data = bytes_from(stream, first_at, UINT64_MAX),
        .n_frames =
            bytes_big(stream, STREAMINFO_AT + 13, 5) & 0xFFFFFFFFF, /* 36 bits; 0: unknown */
    };
    show_head(stream, out);
    struct frame first;
    const struct extent extent = find_last(stream, first_at);
    if (!extent.found || !read_frame(stream, first_at, &first))
        return VP_OK; /* nothing that could be told: the decoder will */
    out->block_frames = first.n_samples;
    const uint64_t unit = extent.last.counts_samples ? 1 : first.n_samples;
    if (extent.last.number < first.number || extent.last.counts_samples != first.counts_samples)
        return VP_OK; /* frames of different streams */
    const uint64_t before = (extent.last.number - first.number) * unit;
    const uint64_t present = before + extent.last.n_samples;
    if (extent.whole) {
        out->remarks = out->n_frames != 0 && out->n_frames != present ? VP_WARN_LENGTH_MISMATCH : 0;
        out->n_frames = present;
        out->data.n = extent.end - first_at;
    } else {
        out->remarks = VP_WARN_DAMAGED;
        out->n_frames = out->n_frames > present ? out->n_frames : present;
        out->n_lost = out->n_frames - before;
    }
    return VP_OK;
}
