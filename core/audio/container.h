/*
 * What a recording says of itself: container, codec, and where its samples lie; and what the
 * parsers of single containers (riff, apple, ogg, mp3) share.
 *
 * A parser holds the header against the bytes that are really there. libsndfile is shown only what
 * passed: the bare samples of the simple containers (it never parses their headers), or a FLAC or
 * Ogg stream. sniff.h tells which parser is asked. Pure functions of the bytes; any thread.
 */
#ifndef VP_CONTAINER_H
#define VP_CONTAINER_H

#include "base/bytes.h"
#include "base/status.h"

/* Chunks, blocks, tags in a row: no program writes so many, and each costs time. */
#define CONTAINER_MAX_CHUNKS 65536u
#define CONTAINER_HEAD_BYTES 42u
#define OPUS_RATE_HZ         48000u /* in which Opus counts, whatever rate comes out */

struct container {
    const char *name;    /* "wav", "rf64", "w64", "flac", "ogg", "mp3", "aiff", "au", "caf" */
    const char *demuxer; /* of libavformat; NULL: one of the other decoders reads it */
    const char *codec;   /* "pcm_16", "float", "mulaw", "vorbis", ... */
    float full_scale;    /* samples from here on are at the codec's limit */
    struct bytes data;   /* samples, or the coded stream; borrowed from the file */
    int sf_format;       /* for sf_open: RAW and an encoding; 0: a stream that it recognises */
    double rate_hz;      /* with RAW only */
    unsigned channels;   /* with RAW only */
    uint64_t n_frames;   /* samples per channel that there should be; 0: unknown */
    uint64_t n_lost;     /* of those, how many are known to be missing before anything is decoded */
    unsigned lost_rate_hz; /* in which n_lost counts; 0: in the rate that comes out */
    unsigned block_frames; /* what one failure of the decoder costs, be it left out or silent */
    unsigned remarks; /* VP_WARN_LENGTH_MISMATCH, VP_WARN_DAMAGED: as far as the header tells */
    unsigned char head[CONTAINER_HEAD_BYTES]; /* n_head bytes that the decoder is shown before */
    size_t n_head;                            /* data, in place of the file's own header */
    bool accept_damage;               /* the caller's wish: answer, however much of it is missing */
    const struct vp_decoder *decoder; /* who reads it for us, see elsewhere.h; NULL: we do */
};

/* Bare samples, 16 kHz mono in the machine's own float: name "raw". Errors:
 * VP_ERR_AUDIO_EMPTY, VP_ERR_ARGUMENT (more than memory can hold). */
enum vp_status container_of_samples(const float *samples, size_t n_samples, struct container *out,
                                    struct vp_err *err) VP_MUST_CHECK;

/* ---- for the parsers of single containers --------------------------------------------------- */

enum pcm { PCM_U8, PCM_S8, PCM_16, PCM_24, PCM_32, PCM_FLOAT, PCM_DOUBLE, PCM_ALAW, PCM_MULAW };

/* Is a length of n_bytes, of which n_there follow, what writers put who cannot seek back? Of 32
 * bits: 0xFFFFFFFF (ffmpeg), 0x7FFFF000 and 0x7F000000 (sox), 0x80000000 (arecord); of 64 bits: all
 * but the sign, or all of them. */
bool container_is_placeholder(uint64_t n_bytes, uint64_t n_there) VP_MUST_CHECK;

/* What a header says about plain samples. */
struct pcm_header {
    const char *container;
    enum pcm encoding;
    bool big_endian;
    double rate_hz;
    uint64_t channels;
    size_t data_at;      /* offset of the first sample */
    uint64_t data_bytes; /* promised length */
    bool until_end;      /* the length is a placeholder: a stream of unknown length */
};

/* Signed (or, with 8 bits in WAV, unsigned) integers of width bytes. False when there are none. */
bool container_pcm_of_width(uint64_t width, enum pcm *out) VP_MUST_CHECK;

/* Where the chunk behind a body of n bytes at `at` begins: bodies are padded to even lengths, but
 * some writers forget it. `at` and n lie within file. */
size_t container_behind(struct bytes file, size_t at, size_t n);

/* Holds header against file and fills *out. Less than it promises is noted in n_lost and remarks.
 */
enum vp_status container_of_pcm(struct bytes file, const struct pcm_header *header,
                                struct container *out, struct vp_err *err) VP_MUST_CHECK;

/* VP_ERR_AUDIO_UNSUPPORTED; the formatted name goes to err->detected. */
enum vp_status container_refuse(struct vp_err *err, const char *format, ...) VP_PRINTF(2, 3);

/* VP_ERR_AUDIO_UNDECODABLE: `container` is cut, `part` promises more than there is. */
enum vp_status container_cut(struct vp_err *err, const char *container, const char *part,
                             uint64_t promised, uint64_t found);

#endif
