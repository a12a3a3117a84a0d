/*
 * MPEG audio frames: a header of 32 bits, from which the length follows.
 *
 *   11 sync bits, 2 version (0: 2.5, 2: 2, 3: 1), 2 layer (1: III, 2: II, 3: I), 1 no checksum,
 *   4 bit rate, 2 sample rate, 1 padding, 1 private, 2 mode (3: mono), ...
 *
 * Decoders skip what they do not understand, so a cut file would pass as a shorter one. The walk
 * here notices a last frame that is not whole, and an encoder's count (Xing) above what is there.
 * Where the walk itself loses step (two files joined, a tag in the middle) nothing is judged.
 */
#include "audio/mp3.h"

struct frame {
    unsigned layer; /* 1, 2, 3 */
    size_t n_bytes; /* of a layer III frame; 0 for the others */
    size_t xing_at; /* where an encoder's Xing header lies, if there is one */
};

static bool read_frame(struct bytes stream, size_t at, struct frame *frame)
{
    static const unsigned rates_hz[3] = {44100, 48000, 32000};
    static const unsigned kbps_1[15] = {0,   32,  40,  48,  56,  64,  80, 96,
                                        112, 128, 160, 192, 224, 256, 320};
    static const unsigned kbps_2[15] = {0,  8,  16, 24,  32,  40,  48, 56,
                                        64, 80, 96, 112, 128, 144, 160};
    const uint32_t head = (uint32_t)bytes_big(stream, at, 4);
    const unsigned version = head >> 19 & 3, layer = head >> 17 & 3, rate = head >> 10 & 3;
    const unsigned kbps = head >> 12 & 15, padding = head >> 9 & 1;
    if (head >> 21 != 0x7FF || version == 1 || layer == 0 || kbps == 0 || kbps == 15 || rate == 3)
        return false;
    *frame = (struct frame){.layer = 4 - layer};
    if (layer == 1) {
        const bool is_1 = version == 3, mono = (head >> 6 & 3) == 3;
        const unsigned rate_hz = rates_hz[rate] >> (is_1 ? 0 : version == 2 ? 1 : 2);
        const unsigned bits = 1000 * (is_1 ? kbps_1[kbps] : kbps_2[kbps]);
        /* 1152 samples a frame, 576 in versions 2 and 2.5 */
        frame->n_bytes = (is_1 ? 144 : 72) * bits / rate_hz + padding;
        frame->xing_at = at + 4 + (is_1 ? (mono ? 17 : 32) : (mono ? 9 : 17));
    }
    return true;
}

bool mp3_is(struct bytes stream)
{
    struct frame frame, next;
    if (!read_frame(stream, 0, &frame))
        return false;
    return frame.layer != 3 || !bytes_have(stream, frame.n_bytes, 4) ||
           read_frame(stream, frame.n_bytes, &next);
}

/* Tags that stand behind the last frame. */
static bool is_tag(struct bytes stream, size_t at)
{
    return bytes_match(stream, at, "APETAGEX") || bytes_match(stream, at, "LYRICSBEGIN") ||
           bytes_match(stream, at, "ID3");
}

enum vp_status mp3_read(struct bytes stream, struct container *out, struct vp_err *err)
{
    struct frame frame;
    if (!read_frame(stream, 0, &frame) || frame.layer != 3)
        return container_refuse(err, "mpeg audio layer %s (mp2)", frame.layer == 1 ? "I" : "II");
    uint64_t promised = 0; /* frames, without the one that carries the Xing header */
    if ((bytes_match(stream, frame.xing_at, "Xing") ||
         bytes_match(stream, frame.xing_at, "Info")) &&
        (bytes_big(stream, frame.xing_at + 4, 4) & 1))
        promised = bytes_big(stream, frame.xing_at + 8, 4);

    size_t at = 0, n_frames = 0;
    while (read_frame(stream, at, &frame) && frame.layer == 3) {
        if (!bytes_have(stream, at, frame.n_bytes))
            return container_cut(err, "mp3", "its last frame", frame.n_bytes, stream.n - at);
        at += frame.n_bytes;
        n_frames++;
    }
    const bool in_step = at + 4 > stream.n || is_tag(stream, at);
    if (in_step && promised > n_frames)
        return status_fail(err, VP_ERR_AUDIO_UNDECODABLE,
                           "the mp3 file is cut: its header promises %u frames and %zu are there; "
                           "send the whole file",
                           (unsigned)promised, n_frames);
    *out = (struct container){
        .name = "mp3",
        .codec = "mp3",
        .full_scale = 0.9999F,
        .data = stream,
    };
    return VP_OK;
}
