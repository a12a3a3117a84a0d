/*
 *   ID3v2   "ID3", version (2), flags, length (4 x 7 bits) of what follows; a footer if bit 4 is
 * set APEv2   "APETAGEX", version (4), length (4) of items and footer, count (4), flags (4), zeros
 * (8); the same 32 bytes stand behind the items, and if bit 31 is set before them as well ID3v1 the
 * last 128 bytes: "TAG" and fields of fixed length Lyrics3 "LYRICSBEGIN" ... length in six digits,
 * "LYRICS200"
 */
#include "audio/tags.h"

#include "audio/container.h"

#define ID3V2_HEAD  10u
#define ID3V1_BYTES 128u
#define APE_BYTES   32u
#define LYRICS_TAIL 15u
#define LEAST_ZEROS 4u /* fewer may be the start of a length, as in MP4 */

static size_t id3v2_length(struct bytes file, size_t at)
{
    if (!bytes_match(file, at, "ID3") || !bytes_have(file, at, ID3V2_HEAD))
        return 0;
    size_t n = 0;
    for (size_t i = 6; i < ID3V2_HEAD; i++)
        n = n << 7 | (file.at[at + i] & 0x7F);
    return ID3V2_HEAD + n + (file.at[at + 5] & 0x10 ? ID3V2_HEAD : 0);
}

/* Of an APE tag that begins with its header. */
static size_t ape_length(struct bytes file, size_t at)
{
    if (!bytes_match(file, at, "APETAGEX") || !bytes_have(file, at, APE_BYTES))
        return 0;
    return APE_BYTES + (size_t)bytes_little(file, at + 12, 4);
}

static size_t zeros_length(struct bytes file, size_t at)
{
    size_t n = 0;
    while (bytes_have(file, at + n, 1) && file.at[at + n] == 0)
        n++;
    return n >= LEAST_ZEROS ? n : 0;
}

size_t tags_length(struct bytes file, size_t at)
{
    const size_t id3 = id3v2_length(file, at), ape = ape_length(file, at);
    return id3 > 0 ? id3 : ape > 0 ? ape : zeros_length(file, at);
}

struct bytes tags_skip_front(struct bytes file, bool *cut)
{
    size_t at = 0, n = 0;
    for (unsigned i = 0;
         i < CONTAINER_MAX_CHUNKS && (n = tags_length(file, at)) > 0 && n <= file.n - at; i++)
        at += n;
    *cut = n > file.n - at;
    return bytes_from(file, *cut ? file.n : at, UINT64_MAX);
}

/* Length of the tag that ends where stream ends; 0: none does. */
static size_t length_behind(struct bytes stream)
{
    if (stream.n >= ID3V1_BYTES && bytes_match(stream, stream.n - ID3V1_BYTES, "TAG"))
        return ID3V1_BYTES;
    if (stream.n >= APE_BYTES && bytes_match(stream, stream.n - APE_BYTES, "APETAGEX")) {
        const size_t footer = stream.n - APE_BYTES;
        const bool has_header = bytes_little(stream, footer + 20, 4) >> 31;
        return (size_t)bytes_little(stream, footer + 12, 4) + (has_header ? APE_BYTES : 0);
    }
    if (stream.n >= LYRICS_TAIL && bytes_match(stream, stream.n - 9, "LYRICS200")) {
        size_t n = 0;
        for (size_t i = stream.n - LYRICS_TAIL; i < stream.n - 9; i++)
            n = n * 10 + (size_t)(stream.at[i] - '0') % 10;
        return n + LYRICS_TAIL;
    }
    return 0;
}

static bool is_padding(unsigned char c)
{
    return c == 0 || c == '\n' || c == '\r' || c == ' ';
}

/* stream without the padding that lies too far behind anything else to be the end of a tag. */
static struct bytes cut_far_padding(struct bytes stream)
{
    size_t n = stream.n;
    while (n > 0 && is_padding(stream.at[n - 1]))
        n--;
    return bytes_from(stream, 0, n + ID3V1_BYTES); /* no tag begins further before its end */
}

struct bytes tags_cut_back(struct bytes stream)
{
    for (;;) { /* byte by byte: what looks like padding may be the end of a tag */
        stream = cut_far_padding(stream);
        const size_t tag = length_behind(stream);
        if (tag > 0 && tag <= stream.n)
            stream.n -= tag;
        else if (stream.n > 0 && is_padding(stream.at[stream.n - 1]))
            stream.n--;
        else
            return stream;
    }
}
