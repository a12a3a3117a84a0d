/* Magic numbers, and the demuxer that each stands for. */
#include "audio/media.h"

#define FULL_SCALE 0.9999F /* of codecs that compute in floats or 16 bits */

/* ISO base media are told apart by their brand, for the name only: one demuxer reads all. */
static const char *mp4_name(struct bytes file)
{
    static const struct {
        const char *brand, *name;
    } brands[] = {
        {"M4A", "m4a"}, {"M4B", "m4a"}, {"qt  ", "quicktime"}, {"3gp", "3gp"}, {"3g2", "3gp"}};
    for (size_t i = 0; i < sizeof brands / sizeof brands[0]; i++)
        if (bytes_match(file, 8, brands[i].brand))
            return brands[i].name;
    return "mp4";
}

static bool is_mp4(struct bytes file)
{
    return bytes_match(file, 4, "ftyp") && !bytes_match(file, 8, "avif") &&
           !bytes_match(file, 8, "heic") && !bytes_match(file, 8, "mif1");
}

/* QuickTime from before there were brands. */
static bool is_old_quicktime(struct bytes file)
{
    return bytes_match(file, 4, "moov") || bytes_match(file, 4, "mdat") ||
           bytes_match(file, 4, "wide");
}

static bool is_webm(struct bytes file)
{
    for (size_t at = 4; at < 64; at++) /* the EBML header is short, its order is free */
        if (bytes_match(file, at, "webm"))
            return true;
    return false;
}

/* ADTS: twelve sync bits, layer 0; the length, header included, in 13 bits from bit 30 on. */
static bool is_adts(struct bytes file)
{
    size_t at = 0;
    for (int i = 0; i < 2; i++) {
        if ((bytes_big(file, at, 2) & 0xFFF6) != 0xFFF0)
            return false;
        at += (size_t)(bytes_big(file, at + 3, 3) >> 5 & 0x1FFF);
    }
    return at > 0;
}

void media_of(struct bytes stream, const char *container, const char *demuxer,
              struct container *out)
{
    *out = (struct container){
        .name = container,
        .demuxer = demuxer,
        .full_scale = FULL_SCALE,
        .data = stream,
    };
}

bool media_read(struct bytes stream, struct container *out)
{
    if (is_mp4(stream))
        media_of(stream, mp4_name(stream), "mov", out);
    else if (is_old_quicktime(stream))
        media_of(stream, "quicktime", "mov", out);
    else if (bytes_match(stream, 0, "\x1A\x45\xDF\xA3"))
        media_of(stream, is_webm(stream) ? "webm" : "matroska", "matroska", out);
    else if (bytes_match(stream, 0, "#!AMR"))
        media_of(stream, "amr", "amr", out);
    else if (bytes_match(stream, 0, "\x30\x26\xB2\x75\x8E\x66\xCF\x11"))
        media_of(stream, "asf", "asf", out);
    else if (is_adts(stream))
        media_of(stream, "aac", "aac", out);
    else
        return false;
    return true;
}
