/*
 * AIFF and AIFC: big-endian chunks of 8 bytes of head, padded to 2; COMM and SSND matter.
 * CAF: chunks of 12 bytes of head (id, 64-bit size), not padded; desc and data matter.
 * AU: a head of six 32-bit numbers, then the samples.
 */
#include "audio/apple.h"

#include "audio/media.h"

#include <math.h>

struct name_and_encoding {
    const char *name;
    enum pcm encoding;
    bool little_endian;
};

bool apple_is(struct bytes file)
{
    return (bytes_match(file, 0, "FORM") &&
            (bytes_match(file, 8, "AIFF") || bytes_match(file, 8, "AIFC"))) ||
           bytes_match(file, 0, "caff") || bytes_match(file, 0, ".snd");
}

static enum vp_status no_chunk(struct vp_err *err, const char *container, const char *chunk)
{
    return status_fail(err, VP_ERR_AUDIO_UNDECODABLE,
                       "the %s file ends in its header: no %s chunk; send the whole file",
                       container, chunk);
}

/* A codec's four letters, with those that cannot be printed replaced. */
static enum vp_status refuse_codec(struct vp_err *err, const char *container, struct bytes body,
                                   size_t at)
{
    char letters[5] = "????";
    for (size_t i = 0; i < 4 && bytes_have(body, at, 4); i++)
        if (body.at[at + i] >= ' ' && body.at[at + i] <= '~')
            letters[i] = (char)body.at[at + i];
    return container_refuse(err, "%s (%s)", container, letters);
}

/* Finds the chunk `id` behind offset `at`; bodies of `known` bytes or more. False when absent. */
static bool find_chunk(struct bytes file, size_t at, size_t size_bytes, const char *id,
                       size_t *body_at, uint64_t *body_bytes)
{
    const size_t head = 4 + size_bytes;
    for (unsigned n = 0; n < CONTAINER_MAX_CHUNKS && bytes_have(file, at, head); n++) {
        *body_at = at + head;
        *body_bytes = bytes_big(file, at + 4, size_bytes);
        if (bytes_match(file, at, id))
            return true;
        if (*body_bytes > file.n - *body_at)
            return false;
        at = size_bytes == 4 ? container_behind(file, *body_at, (size_t)*body_bytes)
                             : *body_at + (size_t)*body_bytes;
    }
    return false;
}

/* ---- AIFF ----------------------------------------------------------------------------------- */

/* 80-bit extended: sign and exponent, then a 64-bit mantissa with its leading one. */
static double extended(struct bytes b, size_t at)
{
    const int exponent = (int)(bytes_big(b, at, 2) & 0x7FFF) - 16383 - 63;
    return ldexp((double)bytes_big(b, at + 2, 8), exponent);
}

static enum vp_status aiff_encoding(struct bytes comm, bool compressed, struct pcm_header *header,
                                    struct vp_err *err)
{
    static const struct name_and_encoding names[] = {
        {"fl32", PCM_FLOAT, false},  {"FL32", PCM_FLOAT, false}, {"fl64", PCM_DOUBLE, false},
        {"FL64", PCM_DOUBLE, false}, {"alaw", PCM_ALAW, false},  {"ALAW", PCM_ALAW, false},
        {"ulaw", PCM_MULAW, false},  {"ULAW", PCM_MULAW, false}, {"in24", PCM_24, false},
        {"in32", PCM_32, false},     {"raw ", PCM_U8, false},
    };
    const uint64_t bits = bytes_big(comm, 6, 2);
    if (!compressed || bytes_match(comm, 18, "NONE") || bytes_match(comm, 18, "twos") ||
        bytes_match(comm, 18, "sowt")) {
        header->big_endian = !(compressed && bytes_match(comm, 18, "sowt"));
        if (container_pcm_of_width((bits + 7) / 8, &header->encoding))
            return VP_OK;
        return status_fail(err, VP_ERR_AUDIO_UNDECODABLE, "the aiff header states %u bits a sample",
                           (unsigned)bits);
    }
    header->big_endian = true;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (bytes_match(comm, 18, names[i].name)) {
            header->encoding = names[i].encoding;
            return VP_OK;
        }
    }
    return refuse_codec(err, "aifc", comm, 18);
}

/* Codecs that libavformat reads in CAF and AIFC. */
static bool is_coded(struct bytes head, size_t at)
{
    return bytes_match(head, at, "aac ") || bytes_match(head, at, "alac") ||
           bytes_match(head, at, "opus") || bytes_match(head, at, "ima4");
}

static enum vp_status aiff_read(struct bytes file, struct container *out, struct vp_err *err)
{
    struct pcm_header header = {.container = "aiff"};
    size_t at;
    uint64_t n_bytes;
    if (!find_chunk(file, 12, 4, "COMM", &at, &n_bytes) || n_bytes < 18 ||
        !bytes_have(file, at, 18))
        return no_chunk(err, header.container, "COMM");
    const struct bytes comm = bytes_from(file, at, n_bytes);
    if (bytes_match(file, 8, "AIFC") && is_coded(comm, 18)) {
        media_of(file, "aiff", "aiff", out);
        return VP_OK;
    }
    header.channels = bytes_big(comm, 0, 2);
    header.rate_hz = extended(comm, 8);
    enum vp_status status = aiff_encoding(comm, bytes_match(file, 8, "AIFC"), &header, err);
    if (status != VP_OK)
        return status;
    if (!find_chunk(file, 12, 4, "SSND", &at, &n_bytes) || !bytes_have(file, at, 8))
        return no_chunk(err, header.container, "SSND");
    const uint64_t offset = bytes_big(file, at, 4); /* an alignment gap, nearly always 0 */
    /* 0: the length was to be filled in, and the writer could not seek back */
    header.until_end = n_bytes == 0 || container_is_placeholder(n_bytes, file.n - at);
    if (!header.until_end && (n_bytes < 8 || offset > n_bytes - 8))
        return status_fail(err, VP_ERR_AUDIO_UNDECODABLE,
                           "the aiff file's SSND chunk is shorter than its own header");
    header.data_at = at + 8 + (size_t)offset;
    header.data_bytes = n_bytes - 8 - offset; /* of no meaning with until_end */
    return container_of_pcm(file, &header, out, err);
}

/* ---- CAF ------------------------------------------------------------------------------------ */

static enum vp_status caf_encoding(struct bytes desc, struct pcm_header *header, struct vp_err *err)
{
    const uint64_t flags = bytes_big(desc, 12, 4), frame_bytes = bytes_big(desc, 16, 4);
    const uint64_t bits = bytes_big(desc, 28, 4);
    bool known = header->channels > 0;
    const uint64_t width = known ? frame_bytes / header->channels : 0;
    if (bytes_match(desc, 8, "alaw") || bytes_match(desc, 8, "ulaw")) {
        header->encoding = bytes_match(desc, 8, "alaw") ? PCM_ALAW : PCM_MULAW;
        known = known && width == 1;
    } else if (bytes_match(desc, 8, "lpcm")) {
        const bool is_float = flags & 1;
        header->big_endian = !(flags & 2);
        if (is_float)
            header->encoding = width == 8 ? PCM_DOUBLE : PCM_FLOAT;
        known = known && bits <= 8 * width && frame_bytes == width * header->channels &&
                (is_float ? width == 4 || width == 8
                          : container_pcm_of_width(width, &header->encoding));
    } else {
        return refuse_codec(err, "caf", desc, 8);
    }
    if (!known)
        return status_fail(err, VP_ERR_AUDIO_UNDECODABLE,
                           "the caf header contradicts itself: %u bits, %u channels, %u bytes a "
                           "frame",
                           (unsigned)bits, (unsigned)header->channels, (unsigned)frame_bytes);
    return VP_OK;
}

static enum vp_status caf_read(struct bytes file, struct container *out, struct vp_err *err)
{
    struct pcm_header header = {.container = "caf"};
    size_t at;
    uint64_t n_bytes;
    if (!find_chunk(file, 8, 8, "desc", &at, &n_bytes) || n_bytes < 32 || !bytes_have(file, at, 32))
        return no_chunk(err, header.container, "desc");
    const struct bytes desc = bytes_from(file, at, 32);
    if (is_coded(desc, 8)) {
        media_of(file, "caf", "caf", out);
        return VP_OK;
    }
    const uint64_t rate_bits = bytes_big(desc, 0, 8);
    memcpy(&header.rate_hz, &rate_bits, sizeof header.rate_hz);
    header.channels = bytes_big(desc, 24, 4);
    enum vp_status status = caf_encoding(desc, &header, err);
    if (status != VP_OK)
        return status;
    if (!find_chunk(file, 8, 8, "data", &at, &n_bytes) || !bytes_have(file, at, 4))
        return no_chunk(err, header.container, "data");
    header.until_end = n_bytes == UINT64_MAX; /* -1: still being written */
    if (!header.until_end && n_bytes < 4)
        return no_chunk(err, header.container, "data");
    header.data_at = at + 4; /* behind the edit count */
    header.data_bytes = n_bytes - 4;
    return container_of_pcm(file, &header, out, err);
}

/* ---- AU ------------------------------------------------------------------------------------- */

static enum vp_status au_read(struct bytes file, struct container *out, struct vp_err *err)
{
    static const struct {
        uint64_t code;
        enum pcm encoding;
    } codes[] = {{1, PCM_MULAW}, {2, PCM_S8},    {3, PCM_16},     {4, PCM_24},
                 {5, PCM_32},    {6, PCM_FLOAT}, {7, PCM_DOUBLE}, {27, PCM_ALAW}};
    if (!bytes_have(file, 0, 24))
        return container_cut(err, "au", "its header", 24, file.n);
    const uint64_t start = bytes_big(file, 4, 4), code = bytes_big(file, 12, 4);
    struct pcm_header header = {
        .container = "au",
        .big_endian = true,
        .rate_hz = (double)bytes_big(file, 16, 4),
        .channels = bytes_big(file, 20, 4),
        .data_at = (size_t)start,
        .data_bytes = bytes_big(file, 8, 4),
        .until_end = container_is_placeholder(bytes_big(file, 8, 4), file.n),
    };
    if (start < 24)
        return status_fail(err, VP_ERR_AUDIO_UNDECODABLE,
                           "the au header puts the audio at byte %u, inside itself",
                           (unsigned)start);
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (codes[i].code == code) {
            header.encoding = codes[i].encoding;
            return container_of_pcm(file, &header, out, err);
        }
    }
    return container_refuse(err, "au (encoding %u)", (unsigned)code);
}

enum vp_status apple_read(struct bytes file, struct container *out, struct vp_err *err)
{
    if (bytes_match(file, 0, "caff"))
        return caf_read(file, out, err);
    if (bytes_match(file, 0, ".snd"))
        return au_read(file, out, err);
    return aiff_read(file, out, err);
}
