/* Encodings of plain samples, and the sentences of the refusals. */
#include "audio/container.h"

#include <inttypes.h>
#include <sndfile.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/constants.h"

static const struct {
    const char *codec;
    int sf_subtype;
    unsigned width;   /* bytes */
    float full_scale; /* largest value that the decoder gives, a little less for safety */
} encodings[] = {
    [PCM_U8] = {"pcm_u8", SF_FORMAT_PCM_U8, 1, 0.992F},
    [PCM_S8] = {"pcm_s8", SF_FORMAT_PCM_S8, 1, 0.992F},
    [PCM_16] = {"pcm_16", SF_FORMAT_PCM_16, 2, 0.9999F},
    [PCM_24] = {"pcm_24", SF_FORMAT_PCM_24, 3, 0.9999F},
    [PCM_32] = {"pcm_32", SF_FORMAT_PCM_32, 4, 0.9999F},
    [PCM_FLOAT] = {"float", SF_FORMAT_FLOAT, 4, 0.9999F},
    [PCM_DOUBLE] = {"double", SF_FORMAT_DOUBLE, 8, 0.9999F},
    [PCM_ALAW] = {"alaw", SF_FORMAT_ALAW, 1, 0.984F},
    [PCM_MULAW] = {"mulaw", SF_FORMAT_ULAW, 1, 0.980F},
};

enum vp_status container_refuse(struct vp_err *err, const char *format, ...)
{
    char detected[sizeof err->detected];
    va_list args;
    va_start(args, format);
    vsnprintf(detected, sizeof detected, format, args);
    va_end(args);
    enum vp_status status = status_fail(
        err, VP_ERR_AUDIO_UNSUPPORTED,
        "%s is not accepted; send WAV, FLAC, Ogg, MP3, M4A, MP4, WebM, AMR, WMA, AIFF, AU or CAF: "
        "ffmpeg -i FILE -ac 1 -ar 16000 FILE.wav converts most others",
        detected);
    if (err != NULL)
        memcpy(err->detected, detected, sizeof detected);
    return status;
}

enum vp_status container_cut(struct vp_err *err, const char *container, const char *part,
                             uint64_t promised, uint64_t found)
{
    return status_fail(err, VP_ERR_AUDIO_UNDECODABLE,
                       "the %s file is cut: %s promises %" PRIu64 " bytes and %" PRIu64
                       " are there; send the whole file",
                       container, part, promised, found);
}

bool container_pcm_of_width(uint64_t width, enum pcm *out)
{
    static const enum pcm by_width[] = {PCM_S8, PCM_16, PCM_24, PCM_32};
    if (width < 1 || width > 4)
        return false;
    *out = by_width[width - 1];
    return true;
}

bool container_is_placeholder(uint64_t n_bytes, uint64_t n_there)
{
    return n_bytes > n_there &&
           ((n_bytes >= 0x7F000000 && n_bytes <= UINT32_MAX) || n_bytes >= INT64_MAX - 1024);
}

size_t container_behind(struct bytes file, size_t at, size_t n)
{
    size_t end = at + n;
    const bool forgotten = n % 2 == 1 && bytes_have(file, end, 4) && file.at[end] != 0;
    if (n % 2 == 1 && !forgotten && end < file.n)
        end++;
    return end;
}

enum vp_status container_of_pcm(struct bytes file, const struct pcm_header *header,
                                struct container *out, struct vp_err *err)
{
    const struct bytes rest = bytes_from(file, header->data_at, UINT64_MAX);
    if (header->channels == 0)
        return status_fail(err, VP_ERR_AUDIO_UNDECODABLE, "the %s header states 0 channels",
                           header->container);
    /* More than this is refused for its number later; the product must not overflow until then. */
    const uint64_t channels = header->channels < 1u << 16 ? header->channels : 1u << 16;
    const uint64_t frame_bytes = channels * encodings[header->encoding].width;
    const bool is_short = !header->until_end && header->data_bytes > rest.n;
    const uint64_t n_frames = (header->until_end ? rest.n : header->data_bytes) / frame_bytes;
    const uint64_t n_present = is_short ? rest.n / frame_bytes : n_frames;
    *out = (struct container){
        .name = header->container,
        .codec = encodings[header->encoding].codec,
        .full_scale = encodings[header->encoding].full_scale,
        /* whole frames only: a few stray bytes at the end are a sloppy writer's */
        .data = bytes_from(rest, 0, n_present * frame_bytes),
        .n_frames = n_frames,
        .n_lost = n_frames - n_present,
        .remarks = is_short ? VP_WARN_LENGTH_MISMATCH : 0,
        .sf_format = SF_FORMAT_RAW | encodings[header->encoding].sf_subtype |
                     (header->big_endian ? SF_ENDIAN_BIG : SF_ENDIAN_LITTLE),
        .rate_hz = header->rate_hz,
        .channels = (unsigned)channels,
    };
    return VP_OK;
}

enum vp_status container_of_samples(const float *samples, size_t n_samples, struct container *out,
                                    struct vp_err *err)
{
    memset(out, 0, sizeof *out);
    size_t n_bytes;
    if (n_samples == 0)
        return status_fail(err, VP_ERR_AUDIO_EMPTY, "there are no samples");
    if (!size_multiply(n_samples, sizeof *samples, &n_bytes))
        return status_fail(err, VP_ERR_ARGUMENT, "%zu samples fit no memory", n_samples);
    *out = (struct container){
        .name = "raw",
        .codec = encodings[PCM_FLOAT].codec,
        .full_scale = encodings[PCM_FLOAT].full_scale,
        .data = {(const unsigned char *)samples, n_bytes},
        .n_frames = n_samples,
        .sf_format = SF_FORMAT_RAW | SF_FORMAT_FLOAT | SF_ENDIAN_CPU,
        .rate_hz = SAMPLE_RATE_HZ,
        .channels = 1,
    };
    return VP_OK;
}
