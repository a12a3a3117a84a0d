/*
 * MPEG audio frames: a header of 32 bits, from which the length follows.
 *
 *   11 sync bits, 2 version (0: 2.5, 2: 2, 3: 1), 2 layer (1: III, 2: II, 3: I), 1 no checksum,
 *   4 bit rate, 2 sample rate, 1 padding, 1 private, 2 mode (3: mono), ...
 *
 * Decoders skip what they do not understand, so a cut file would pass as a shorter one. The walk
 * here goes from frame to frame, past tags and padding between them, and counts what is missing: a
 * last frame that is not whole, bytes that are no frames, frames that the encoder counted (Xing)
 * and that are not there.
 */
#include "audio/mp3.h"

#include "audio/tags.h"

#define SEARCH_BYTES                                                                               \
    ((size_t)1 << 14) /* a stream may be joined in mid-frame: five times the longest */
#define MOST_SKIPPED ((size_t)1 << 24) /* bytes that are no frames */
#define N_IN_STEP    3                 /* frames in a row that are no accident */

struct frame {
    unsigned layer; /* 1, 2, 3 */
    unsigned kind;  /* version, layer and sample rate: the same in all frames of a stream */
    unsigned n_samples;
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
    *frame = (struct frame){.layer = 4 - layer, .kind = head >> 10 & 0x783};
    if (layer == 1) {
        const bool is_1 = version == 3, mono = (head >> 6 & 3) == 3;
        const unsigned rate_hz = rates_hz[rate] >> (is_1 ? 0 : version == 2 ? 1 : 2);
        const unsigned bits = 1000 * (is_1 ? kbps_1[kbps] : kbps_2[kbps]);
        frame->n_samples = is_1 ? 1152 : 576;
        frame->n_bytes = (is_1 ? 144 : 72) * bits / rate_hz + padding;
        frame->xing_at = at + 4 + (is_1 ? (mono ? 17 : 32) : (mono ? 9 : 17));
    }
    return true;
}

/* Do frames of one kind follow one another from here on? */
static bool is_in_step(struct bytes stream, size_t at)
{
    struct frame first, frame;
    for (int i = 0; i < N_IN_STEP; i++) {
        if (!read_frame(stream, at, &frame) || frame.layer != 3)
            return false;
        if (i == 0)
            first = frame;
        if (frame.kind != first.kind)
            return false;
        at += frame.n_bytes;
    }
    return true;
}

/* Where frames begin, or begin again: from at on, before `most`. False: nowhere. */
static bool find_frames(struct bytes stream, size_t *at, size_t most)
{
    for (; *at < most && *at < stream.n; (*at)++)
        if (stream.at[*at] == 0xFF && is_in_step(stream, *at))
            return true;
    return false;
}

bool mp3_is(struct bytes stream)
{
    struct frame frame, next;
    size_t at = 0;
    if (!read_frame(stream, 0, &frame))
        return find_frames(stream, &at, SEARCH_BYTES);
    return frame.layer != 3 || !bytes_have(stream, frame.n_bytes, 4) ||
           read_frame(stream, frame.n_bytes, &next) || tags_length(stream, frame.n_bytes) > 0;
}

/* What a walk over the frames found. */
struct walk {
    size_t begin, end; /* of the first frame, behind the last */
    size_t n_frames, n_bytes;
    size_t n_skipped; /* bytes from begin on that belong to no frame and no tag */
    bool is_cut;      /* the last frame is not whole */
};

static struct walk walk_frames(struct bytes stream, size_t at)
{
    struct walk walk = {.begin = at, .end = at};
    struct frame frame;
    while (at < stream.n && walk.n_skipped <= MOST_SKIPPED) {
        if (read_frame(stream, at, &frame) && frame.layer == 3) {
            if (!bytes_have(stream, at, frame.n_bytes)) {
                walk.is_cut = true;
                return walk;
            }
            walk.end = at += frame.n_bytes;
            walk.n_frames++;
            walk.n_bytes += frame.n_bytes;
            continue;
        }
        const size_t before = at, tag = tags_length(stream, at);
        if (tag > 0 && tag <= stream.n - at) {
            at += tag;
            continue;
        }
        at++;
        (void)find_frames(stream, &at, at + MOST_SKIPPED);
        walk.n_skipped += at - before;
    }
    return walk;
}

/* Frames that the encoder counted, without the one that says so; 0: it did not. */
static uint64_t counted_frames(struct bytes stream, const struct frame *first)
{
    const bool xing =
        bytes_match(stream, first->xing_at, "Xing") || bytes_match(stream, first->xing_at, "Info");
    return xing && bytes_big(stream, first->xing_at + 4, 4) & 1
               ? bytes_big(stream, first->xing_at + 8, 4)
               : 0;
}

enum vp_status mp3_read(struct bytes stream, struct container *out, struct vp_err *err)
{
    struct frame first;
    size_t at = 0;
    stream = tags_cut_back(stream);
    if (!read_frame(stream, 0, &first) && !find_frames(stream, &at, SEARCH_BYTES))
        return container_cut(err, "mp3", "its first frame", 4, stream.n);
    if (!read_frame(stream, at, &first) || first.layer != 3)
        return container_refuse(err, "mpeg audio layer %s (mp2)", first.layer == 1 ? "I" : "II");
    const struct walk walk = walk_frames(stream, at);
    if (walk.n_frames == 0)
        return container_cut(err, "mp3", "its only frame", first.n_bytes, stream.n - at);

    if (walk.n_skipped > MOST_SKIPPED)
        return status_fail(err, VP_ERR_AUDIO_UNDECODABLE,
                           "the mp3 file is damaged: more than 16 MiB of it are no MP3 frames");
    const uint64_t counted = counted_frames(stream, &first);
    /* what is no frame would have held some of mean length */
    const uint64_t n_holes =
        (walk.n_skipped * walk.n_frames + walk.n_bytes - 1) / walk.n_bytes + walk.is_cut;
    const uint64_t n_there = walk.n_frames - (counted > 0); /* the count has a frame of its own */
    const uint64_t n_missing = counted > n_there ? counted - n_there : 0;
    const uint64_t n_lost = n_missing > n_holes ? n_missing : n_holes;
    const bool differ = counted > 0 && counted != n_there;
    *out = (struct container){
        .name = "mp3",
        .codec = "mp3",
        .full_scale = 0.9999F,
        .data = bytes_from(stream, walk.begin, walk.end - walk.begin),
        .n_lost = n_lost * first.n_samples,
        .remarks = (n_holes > 0 ? VP_WARN_DAMAGED : 0) | (differ ? VP_WARN_LENGTH_MISMATCH : 0),
    };
    return VP_OK;
}
