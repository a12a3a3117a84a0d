/*
 * WAV, RF64, BW64 and W64: a list of chunks, of which `fmt ` and `data` matter.
 *
 *   RIFF, RF64   8 bytes of head (id, size), body padded to 2;   RF64 keeps long sizes in `ds64`
 *                (BW64 is the same by another name)
 *   W64          24 bytes of head (GUID, size that counts the head), padded to 8
 */
#include "audio/riff.h"

#include "audio/media.h"
#include "audio/tags.h"

#include <stdio.h>

/* More than this behind the samples that is no chunk, tag or padding is told of. */
#define STRAY_BYTES 128u

/* The last 12 bytes of the GUIDs of W64, and of WAVE_FORMAT_EXTENSIBLE's formats. */
static const unsigned char w64_riff_tail[12] = {0x2E, 0x91, 0xCF, 0x11, 0xA5, 0xD6,
                                                0x28, 0xDB, 0x04, 0xC1, 0x00, 0x00};
static const unsigned char w64_tail[12] = {0xF3, 0xAC, 0xD3, 0x11, 0x8C, 0xD1,
                                           0x00, 0xC0, 0x4F, 0x8E, 0xDB, 0x8A};
static const unsigned char wavex_tail[14] = {0x00, 0x00, 0x00, 0x00, 0x10, 0x00, 0x80,
                                             0x00, 0x00, 0xAA, 0x00, 0x38, 0x9B, 0x71};

struct riff {
    const char *name;
    bool is_w64;
    uint64_t long_data_bytes; /* RF64: from ds64 */
    struct bytes format;      /* body of the fmt chunk; empty before it is found */
    size_t data_at;           /* 0 before it is found */
    struct bytes data;        /* what is there of it */
    uint64_t data_bytes;      /* what it promises */
};

struct chunk {
    char id[4];
    size_t body_at;
    uint64_t body_bytes;
};

static bool tail_matches(struct bytes file, size_t at, const unsigned char *tail, size_t n)
{
    return bytes_have(file, at, n) && memcmp(file.at + at, tail, n) == 0;
}

static bool has_long_sizes(struct bytes file)
{
    return bytes_match(file, 0, "RF64") || bytes_match(file, 0, "BW64");
}

bool riff_is(struct bytes file)
{
    const bool wave = bytes_match(file, 8, "WAVE");
    return (wave && (bytes_match(file, 0, "RIFF") || has_long_sizes(file))) ||
           (bytes_match(file, 0, "riff") && tail_matches(file, 4, w64_riff_tail, 12));
}

/* Reads the chunk head at *at and moves *at behind the body. False at the end of the file. */
static bool next_chunk(struct bytes file, bool is_w64, size_t *at, struct chunk *chunk)
{
    const size_t head = is_w64 ? 24 : 8;
    if (!bytes_have(file, *at, head))
        return false;
    memcpy(chunk->id, file.at + *at, 4);
    chunk->body_at = *at + head;
    chunk->body_bytes = bytes_little(file, *at + (is_w64 ? 16 : 4), is_w64 ? 8 : 4);
    if (is_w64) {
        if (chunk->body_bytes < head || !tail_matches(file, *at + 4, w64_tail, 12))
            return false;
        chunk->body_bytes -= head;
    }
    const uint64_t rest = file.n - chunk->body_at;
    if (chunk->body_bytes >= rest)
        *at = file.n;
    else if (is_w64)
        *at = chunk->body_at + (size_t)((chunk->body_bytes + 7) / 8 * 8);
    else
        *at = container_behind(file, chunk->body_at, (size_t)chunk->body_bytes);
    return true;
}

static enum vp_status walk(struct bytes file, struct riff *riff, struct vp_err *err)
{
    size_t at = riff->is_w64 ? 40 : 12;
    struct chunk chunk;
    for (unsigned n = 0; riff->data_at == 0 && n < CONTAINER_MAX_CHUNKS &&
                         next_chunk(file, riff->is_w64, &at, &chunk);
         n++) {
        const struct bytes body = bytes_from(file, chunk.body_at, chunk.body_bytes);
        if (memcmp(chunk.id, "data", 4) == 0) {
            riff->data_at = chunk.body_at;
            riff->data_bytes = chunk.body_bytes;
        } else if (body.n < chunk.body_bytes) {
            return container_cut(err, riff->name, "a chunk of its header", chunk.body_bytes,
                                 body.n);
        } else if (memcmp(chunk.id, "fmt ", 4) == 0) {
            if (riff->format.n > 0)
                return status_fail(err, VP_ERR_AUDIO_UNDECODABLE, "the %s file has two fmt chunks",
                                   riff->name);
            riff->format = body;
        } else if (memcmp(chunk.id, "ds64", 4) == 0) {
            riff->long_data_bytes = bytes_little(body, 8, 8);
        }
    }
    if (riff->format.n < 16 || riff->data_at == 0)
        return status_fail(err, VP_ERR_AUDIO_UNDECODABLE,
                           "the %s file ends in its header: no %s chunk; send the whole file",
                           riff->name, riff->format.n < 16 ? "fmt" : "data");
    return VP_OK;
}

static const char *codec_name(uint64_t tag, char unknown[16])
{
    switch (tag) {
    case 0x0002:
        return "ms_adpcm";
    case 0x0011:
        return "ima_adpcm";
    case 0x0031:
        return "gsm";
    case 0x0040:
    case 0x0045:
    case 0x0064:
        return "g726";
    case 0x0050:
        return "mp2";
    case 0x0055:
        return "mp3";
    case 0x00FF:
        return "aac";
    case 0x0160:
    case 0x0161:
    case 0x0162:
        return "wma";
    default:
        snprintf(unknown, 16, "tag 0x%04x", (unsigned)tag);
        return unknown;
    }
}

/* What the samples are: 1 plain integers, 3 floats, 6 A-law, 7 mu-law, ... False: not known. */
static bool read_tag(const struct riff *riff, uint64_t *tag)
{
    *tag = bytes_little(riff->format, 0, 2);
    if (*tag != 0xFFFE)
        return true;
    *tag = bytes_little(riff->format, 24, 2); /* extensible: the first two bytes of a GUID */
    return tail_matches(riff->format, 26, wavex_tail, sizeof wavex_tail);
}

/* MS and IMA ADPCM, GSM, MP3: libavformat reads them. */
static bool is_coded(uint64_t tag)
{
    return tag == 0x0002 || tag == 0x0011 || tag == 0x0031 || tag == 0x0055;
}

/* Are the first n_low bytes of every sample of width bytes zero, and not all of the samples? */
static bool is_left_justified(struct bytes data, uint64_t width, uint64_t n_low)
{
    uint64_t low = 0, high = 0;
    for (size_t at = 0; bytes_have(data, at, (size_t)width); at += (size_t)width) {
        low |= bytes_little(data, at, (size_t)n_low);
        high |= bytes_little(data, at + (size_t)n_low, (size_t)(width - n_low));
    }
    return low == 0 && high != 0;
}

/* Bytes of one sample. Writers get the bytes of a frame wrong (and the byte rate, which follows
 * from it), rarely the bits: a sample is as wide as its bits ask for. It lies in more bytes only
 * where the rest of them is zero in all samples, as for 24 bits in 4 bytes. */
static uint64_t sample_bytes(const struct riff *riff, uint64_t bits, uint64_t align,
                             uint64_t channels)
{
    const uint64_t narrow = (bits + 7) / 8;
    const uint64_t wide = channels > 0 && align % channels == 0 ? align / channels : 0;
    if (wide > 0 && wide < narrow && bits % 8 != 0)
        return wide; /* both of them are wrong: refused */
    if (wide > narrow && wide <= 4 && is_left_justified(riff->data, wide, wide - narrow))
        return wide;
    return narrow;
}

/* The fmt chunk -> encoding, rate, channels. */
static enum vp_status read_format(const struct riff *riff, struct pcm_header *header,
                                  struct vp_err *err)
{
    const struct bytes format = riff->format;
    uint64_t tag;
    const uint64_t align = bytes_little(format, 12, 2), bits = bytes_little(format, 14, 2);
    header->channels = bytes_little(format, 2, 2);
    header->rate_hz = (double)bytes_little(format, 4, 4);
    if (!read_tag(riff, &tag))
        return container_refuse(err, "%s (unknown subformat)", riff->name);
    const uint64_t width = sample_bytes(riff, bits, align, header->channels);
    bool known = width * 8 >= bits && bits > 0;
    if (tag == 1) {
        known = known && container_pcm_of_width(width, &header->encoding);
        if (width == 1)
            header->encoding = PCM_U8;
    } else if (tag == 3) {
        known = known && (width == 4 || width == 8) && bits == width * 8;
        header->encoding = width == 8 ? PCM_DOUBLE : PCM_FLOAT;
    } else if (tag == 6 || tag == 7) {
        known = bits == 8 || bits == 0; /* some writers leave them out */
        header->encoding = tag == 6 ? PCM_ALAW : PCM_MULAW;
    } else {
        char unknown[16];
        return container_refuse(err, "%s (%s)", riff->name, codec_name(tag, unknown));
    }
    if (!known && header->channels > 0)
        return status_fail(err, VP_ERR_AUDIO_UNDECODABLE,
                           "the %s header contradicts itself: %u bits, %u channels, %u bytes a "
                           "frame",
                           riff->name, (unsigned)bits, (unsigned)header->channels, (unsigned)align);
    return VP_OK;
}

/* Does it look like one, and does its body end within the file? */
static bool is_chunk(struct bytes file, const struct chunk *chunk)
{
    for (size_t i = 0; i < 4; i++)
        if (chunk->id[i] < ' ' || chunk->id[i] > '~')
            return false;
    return chunk->body_bytes <= file.n - chunk->body_at;
}

/* A length of 0 though bytes follow that are no chunk: written by somebody who streamed. */
static bool streamed_without_length(struct bytes file, const struct riff *riff)
{
    if (riff->data_bytes != 0 || riff->data_at >= file.n)
        return false;
    size_t at = riff->data_at;
    struct chunk chunk;
    return !next_chunk(file, riff->is_w64, &at, &chunk) || !is_chunk(file, &chunk);
}

/* Is there more behind the samples than chunks, tags and padding? */
static bool has_stray_bytes(struct bytes file, const struct riff *riff)
{
    size_t at = riff->is_w64 ? riff->data_at + (riff->data.n + 7) / 8 * 8
                             : container_behind(file, riff->data_at, riff->data.n);
    for (unsigned n = 0; n < CONTAINER_MAX_CHUNKS; n++) {
        const struct bytes rest = bytes_from(file, at, UINT64_MAX);
        struct chunk chunk;
        bool cut;
        if (!next_chunk(file, riff->is_w64, &at, &chunk) || !is_chunk(file, &chunk))
            return tags_cut_back(tags_skip_front(rest, &cut)).n > STRAY_BYTES;
    }
    return true;
}

static void choose_name(struct bytes file, struct riff *riff)
{
    riff->is_w64 = bytes_match(file, 0, "riff");
    riff->name = riff->is_w64                   ? "w64"
                 : bytes_match(file, 0, "RF64") ? "rf64"
                 : bytes_match(file, 0, "BW64") ? "bw64"
                                                : "wav";
}

enum vp_status riff_read(struct bytes file, struct container *out, struct vp_err *err)
{
    struct riff riff = {.data_at = 0};
    choose_name(file, &riff);
    enum vp_status status = walk(file, &riff, err);
    if (status != VP_OK)
        return status;
    uint64_t tag;
    if (read_tag(&riff, &tag) && is_coded(tag)) {
        media_of(file, riff.name, riff.is_w64 ? "w64" : "wav", out);
        return VP_OK;
    }
    if (has_long_sizes(file) && riff.data_bytes == 0xFFFFFFFF && riff.long_data_bytes != 0)
        riff.data_bytes = riff.long_data_bytes;
    riff.data = bytes_from(file, riff.data_at, riff.data_bytes);

    struct pcm_header header = {
        .container = riff.name,
        .data_at = riff.data_at,
        .data_bytes = riff.data_bytes,
        .until_end = container_is_placeholder(riff.data_bytes, file.n - riff.data_at) ||
                     streamed_without_length(file, &riff),
    };
    if (header.until_end)
        riff.data = bytes_from(file, riff.data_at, UINT64_MAX);
    status = read_format(&riff, &header, err);
    if (status == VP_OK)
        status = container_of_pcm(file, &header, out, err);
    if (status == VP_OK && !header.until_end && has_stray_bytes(file, &riff))
        out->remarks |= VP_WARN_LENGTH_MISMATCH;
    return status;
}
