/*
 * libvoiceprint: recordings to speaker embeddings, and embeddings to scores.
 *
 * The first of the public headers: diarization.h tells who spoke when, assignment.h maps speakers
 * one to one, der.h scores turns, waveform.h draws an outline, decoder.h has recordings decoded by
 * another process. Code outside core/ includes no other. Two opaque handles:
 *
 *   vp_model    the loaded network. Immutable once opened; any number of threads may use it.
 *   vp_scratch  the workspace of one worker. Holds one clip at a time. One owner at a time.
 *
 * A clip goes through the scratch step by step, so that a caller can time each step:
 *
 *   vp_clip_decode   bytes of a file -> 16 kHz mono samples        (in the scratch)
 *   vp_clip_speech   samples         -> which of it is speech      (in the scratch)
 *   vp_clip_fbank    samples         -> log-mel features [T, 80]   (in the scratch)
 *   vp_clip_embed    features        -> embedding [dim]            (to the caller)
 *
 * All memory of a scratch is taken when it is created; only vp_clip_decode allocates. The library
 * reads no environment and keeps no mutable globals. It prints nothing, but for one line on stderr
 * before it aborts, when an invariant of its own is broken.
 *
 * Conventions. Samples are float, 16 kHz mono, full scale 1.0; arrays are row-major, their shapes
 * in brackets. Durations are in seconds, levels in dB of full scale (dBFS). "Owned" results are the
 * caller's to free with the function named; "borrowed" ones live as long as what they come from.
 *
 * Errors: fallible functions return enum vp_status and, when `err` is not NULL, fill it with the
 * sentence for a person. After an error outputs are unspecified, but for owned ones, which are
 * NULL. Passing NULL where it is not said to be legal is undefined. Thread rule, unless a function
 * says otherwise: any thread, provided that no other thread uses the same vp_scratch at the same
 * time.
 */
#ifndef VP_VOICEPRINT_H
#define VP_VOICEPRINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define VP_MUST_CHECK __attribute__((warn_unused_result))
#define VP_PRINTF(format_index, first_index)                                                       \
    __attribute__((format(printf, format_index, first_index)))
#else
#define VP_MUST_CHECK
#define VP_PRINTF(format_index, first_index)
#endif

/* ---- errors ------------------------------------------------------------------------------- */

enum vp_status {
    VP_OK = 0,
    VP_ERR_ARGUMENT,          /* the caller's mistake: out of range, or steps out of order */
    VP_ERR_NO_MEMORY,         /* an allocation failed; nothing is half done */
    VP_ERR_IO,                /* a file cannot be opened or read */
    VP_ERR_MODEL,             /* the model file is refused; the sentence names tensor or node */
    VP_ERR_SELF_TEST,         /* the loaded model does not answer as it must */
    VP_ERR_AUDIO_EMPTY,       /* no bytes at all */
    VP_ERR_AUDIO_UNSUPPORTED, /* container or codec outside the list; `detected` names it */
    VP_ERR_AUDIO_UNDECODABLE, /* truncated, corrupt, or no frames */
    VP_ERR_AUDIO_RATE,        /* sample rate outside 8000..192000 Hz */
    VP_ERR_AUDIO_CHANNELS,    /* more than 8 channels */
    VP_ERR_AUDIO_NO_CHANNEL,  /* `value` is the channel asked for, `limit` how many there are */
    VP_ERR_AUDIO_SAMPLES,     /* NaN or infinity among the samples */
    VP_ERR_AUDIO_TOO_SHORT,   /* `value` and `limit` in seconds */
    VP_ERR_AUDIO_TOO_LONG,    /* `value` and `limit` in seconds */
    VP_ERR_AUDIO_SILENT,      /* `value` and `limit` in dBFS */
    VP_ERR_INFERENCE,         /* an embedding that is zero, constant or not finite: ours to fix */
    VP_ERR_CANCELLED          /* the caller asked for an early end, see vp_scratch_watch */
};

/* Filled by the place that knows most. No member points anywhere. */
struct vp_err {
    enum vp_status status;
    double value;      /* what was found: seconds, dBFS, Hz or channels; 0 where none applies */
    double limit;      /* what is allowed, same unit */
    char detected[32]; /* container or codec that was recognised, "" where none applies */
    char message[256]; /* one sentence: what is wrong, and what to do */
};

/* Stable short name of a status ("audio-too-short"). Borrowed static string, never NULL. */
const char *vp_status_name(enum vp_status status);

/* ---- model -------------------------------------------------------------------------------- */

typedef struct vp_model vp_model;

/* How the convolutions are computed. AUTO takes the fastest that this CPU can run. */
enum vp_kernel {
    VP_KERNEL_AUTO = 0,
    VP_KERNEL_BLAS,
    VP_KERNEL_AVX2,   /* x86-64 */
    VP_KERNEL_AVX512, /* x86-64 */
    VP_KERNEL_NEON    /* ARM64 */
};
#define VP_N_KERNELS 5u /* AUTO included */

/* "auto", "blas", "avx2", "avx512", "neon" <-> value. The name is a static string. Parse returns
 * false on any other word, and leaves *out alone. */
const char *vp_kernel_name(enum vp_kernel kernel);
bool vp_kernel_parse(const char *name, enum vp_kernel *out) VP_MUST_CHECK;
/* Can this build on this CPU run the kernel? AUTO and BLAS always can. */
bool vp_kernel_available(enum vp_kernel kernel);

#define VP_MAX_STAGES 4

/* Facts of an opened model. Strings are borrowed from the model and live as long as it does. */
struct vp_model_info {
    const char *name;               /* from the metadata, else the file's base name */
    const char *license;            /* terms of the weights, from the metadata, or NULL */
    const char *origin;             /* whose they are, the same */
    const char *format;             /* "onnx" or "safetensors" */
    char digest[72];                /* "sha256:" + 64 hex digits of the file's bytes */
    const char *network;            /* "resnet" or "campplus" */
    const char *front_end;          /* "hamming" or "povey": the window of its features */
    size_t dim;                     /* embedding length, 256 for the published model */
    size_t n_mels;                  /* 80 */
    unsigned sample_rate_hz;        /* 16000 */
    size_t n_stages;                /* 4; the blocks of CAM++: 3 */
    size_t blocks[VP_MAX_STAGES];   /* residual blocks or dense layers in each stage: 3 4 6 3 */
    size_t channels[VP_MAX_STAGES]; /* output channels of each stage: 32 64 128 256 */
    size_t n_parameters;            /* numbers kept for inference, BatchNorm folded */
    bool untrained;                 /* the metadata says the weights are random */
    bool has_threshold;             /* same speaker when cosine >= threshold */
    double threshold;
    bool has_calibration; /* llr (natural log) = slope * cosine + offset */
    double slope, offset;
    enum vp_kernel kernel; /* the kernel in use, never AUTO */
    const char *blas;      /* "OpenBLAS 0.3.21 ..." as the library states itself */
    const char *blas_core; /* the CPU core the BLAS chose, e.g. "SkylakeX" */
    size_t weights_bytes;  /* resident, shared by all scratches */
};

/*
 * Opens a model file, .onnx or .safetensors, told apart by content. Every tensor is checked;
 * what cannot be explained is refused. Sets the BLAS to one thread for the whole process.
 * kernel is one that vp_kernel_available, or AUTO. Returns owned *out (vp_model_free), NULL on
 * error: VP_ERR_IO, VP_ERR_MODEL (the sentence names tensor or node), VP_ERR_ARGUMENT (the kernel),
 * VP_ERR_NO_MEMORY. The model must outlive every scratch.
 */
enum vp_status vp_model_open(const char *path, enum vp_kernel kernel, vp_model **out,
                             struct vp_err *err) VP_MUST_CHECK;
void vp_model_free(vp_model *model); /* takes, when no scratch is left; NULL is legal */
const struct vp_model_info *vp_model_info(const vp_model *model); /* borrows from model */

/* ---- scratch ------------------------------------------------------------------------------ */

typedef struct vp_scratch vp_scratch;

/* What a clip must satisfy. Zero-initialise and call vp_limits_default. */
struct vp_limits {
    double min_duration_s;  /* shorter is refused; never below 0.105 s (9 frames) */
    double warn_duration_s; /* shorter gets VP_WARN_SHORT_CLIP */
    double max_duration_s;  /* longer is refused, or cut when truncate is set; sizes the scratch */
    double silence_dbfs;    /* RMS below this is refused as silence */
    bool truncate;          /* keep the first max_duration_s instead of refusing */
    size_t max_threads;     /* that may work on one clip, 1..32; see vp_clip_help */
};
void vp_limits_default(struct vp_limits *out); /* 0.5, 2.0, 60, -60, false, 1 */

/*
 * Allocates everything that a worker needs for clips up to limits->max_duration_s.
 * Borrows model, which must outlive the scratch; limits are copied. Returns owned *out
 * (vp_scratch_free), NULL on error: VP_ERR_ARGUMENT (the sentence names the limit that is wrong),
 * VP_ERR_NO_MEMORY.
 */
enum vp_status vp_scratch_new(const vp_model *model, const struct vp_limits *limits,
                              vp_scratch **out, struct vp_err *err) VP_MUST_CHECK;
void vp_scratch_free(vp_scratch *scratch);          /* takes; NULL is legal */
size_t vp_scratch_bytes(const vp_scratch *scratch); /* memory held, without the model */

/*
 * Lets long work end early: from now on vp_clip_embed on scratch asks is_cancelled(ctx) between two
 * steps of the network, and vp_clip_decode between two blocks of the recording, every few
 * milliseconds, on the thread that runs it, and returns VP_ERR_CANCELLED once the answer is true.
 * After vp_clip_embed the clip stays in the scratch, and another call gives what it would have
 * given; for a vp_diarization_step on scratch it is final,
 * as any error. NULL: nobody is asked, as in a new scratch. ctx is borrowed until the next call.
 * The owner of the scratch calls this; what is_cancelled looks at may be another thread's, when it
 * can be read safely (an atomic).
 */
void vp_scratch_watch(vp_scratch *scratch, bool (*is_cancelled)(void *ctx), void *ctx);

/* ---- clip --------------------------------------------------------------------------------- */

/* Remarks on a clip that was accepted: a bit set, in the order of the contract. */
enum vp_warning {
    VP_WARN_SHORT_CLIP = 1u << 0,
    VP_WARN_LOW_SPEECH = 1u << 1,
    VP_WARN_LOW_LEVEL = 1u << 2,
    VP_WARN_CLIPPING = 1u << 3,
    VP_WARN_NARROWBAND_SOURCE = 1u << 4,
    VP_WARN_CHANNELS_DIFFER = 1u << 5,
    VP_WARN_TRUNCATED = 1u << 6,
    VP_WARN_CONTENT_TYPE_GUESSED = 1u << 7, /* never set by the library: HTTP's own */
    VP_WARN_DC_OFFSET = 1u << 8,
    VP_WARN_LENGTH_MISMATCH = 1u << 9, /* the header promises more or less than there is */
    VP_WARN_DAMAGED = 1u << 10,        /* some of it could not be decoded, or is missing */
    VP_WARN_NO_SPEECH = 1u << 11       /* set by vp_clip_speech alone */
};
#define VP_N_WARNINGS 12
/* Name of warning bit i, 0 <= i < VP_N_WARNINGS ("short_clip"). Borrowed static string. */
const char *vp_warning_name(unsigned i);

#define VP_NAME_CHARS 24 /* of a container or codec, with the zero behind it */

/* What was found in a recording. Nothing in it points anywhere. */
struct vp_clip_info {
    char container[VP_NAME_CHARS]; /* "wav", "flac", "ogg", "mp3", "aiff", "au", "caf", "w64",
                                      "rf64"; "raw" after vp_clip_set_samples */
    char codec[VP_NAME_CHARS];     /* "pcm_16", "float", "mulaw", "vorbis", "opus", ... */
    unsigned sample_rate_hz;
    unsigned channels;
    double duration_s; /* of the recording; when truncated, what was read of it */
    double used_s;     /* what was taken of it, less than duration_s where it was truncated */
    double embedded_s; /* what of that the embedding is computed from; see vp_clip_speech */
    size_t n_samples;  /* at 16 kHz mono */
    size_t n_frames;   /* T = 1 + (n_samples - 400) / 160 */
    double speech_s;   /* time clearly above the noise floor; after vp_clip_speech, of speech */
    double rms_dbfs, peak_dbfs;
    double clipped_ratio; /* share of samples at full scale */
    unsigned warnings;    /* bits of enum vp_warning */
};

struct vp_decoder; /* decoder.h */

/* Which channel of a recording is read: 1, 2, ... VP_MAX_CHANNELS, or one of these words. */
#define VP_MAX_CHANNELS  8u
#define VP_CHANNEL_MIX   0u /* the mean of all; where they cancel in it, the loudest */
#define VP_CHANNEL_SPLIT 9u /* each by itself: of diarizations only (diarization.h) */
/* "mix", "left" (1), "right" (2), "split" or a number. False on any other word. */
bool vp_channel_parse(const char *word, unsigned *out) VP_MUST_CHECK;

/* How a recording is to be read. Zeroes are the defaults. */
struct vp_clip_options {
    unsigned channel; /* VP_CHANNEL_MIX, or 1 to VP_MAX_CHANNELS: the others are not heard */
    const struct vp_decoder *decoder; /* who decodes it; borrowed; NULL: the library */
    /* Answer however much of the recording is missing. Otherwise more than 2 % or 0.5 s are
     * VP_ERR_AUDIO_UNDECODABLE; less is a warning. */
    bool accept_damage;
};

/*
 * Decodes one recording into the scratch: allow-list by magic, decode under the scratch's cap,
 * mono, 16 kHz, quality. Borrows bytes and options (NULL: the defaults) for the call. On error the
 * scratch holds no clip.
 * The only step that allocates (inside the decoders and soxr), always below the scratch's cap.
 * Errors: every VP_ERR_AUDIO_*, VP_ERR_NO_MEMORY; VP_ERR_CANCELLED as vp_scratch_watch says.
 */
enum vp_status vp_clip_decode(vp_scratch *scratch, const struct vp_clip_options *options,
                              const void *bytes, size_t n_bytes, struct vp_clip_info *info,
                              struct vp_err *err) VP_MUST_CHECK;

/* Puts samples [n_samples], 16 kHz mono in [-1, 1], into the scratch as they are, by copy. Same
 * checks and errors; VP_ERR_ARGUMENT for more than memory can hold. */
enum vp_status vp_clip_set_samples(vp_scratch *scratch, const float *samples, size_t n_samples,
                                   struct vp_clip_info *info, struct vp_err *err) VP_MUST_CHECK;

/* The samples in the scratch, 16 kHz mono. Borrowed until the next clip; NULL when none. */
const float *vp_clip_samples(const vp_scratch *scratch, size_t *n_samples);

/*
 * Listens for speech in the clip; between vp_clip_decode and vp_clip_fbank, and may be left out:
 * then every frame is embedded. With speech_only, where less than 80 % of the frames are speech,
 * those more than 0.5 s away from it are left out of the features that vp_clip_fbank computes next,
 * before their mean is removed: otherwise a clip that is mostly pause gets the embedding of the
 * pause. A clip of continuous speech, and one without any, is embedded whole, to the bit as without
 * this call. Completes *info, of the clip at hand: speech_s and embedded_s; VP_WARN_LOW_SPEECH
 * where speech_s is below 2 s or 20 % of used_s (and no longer otherwise), VP_WARN_NO_SPEECH where
 * there is none. Models of other than 80 mel bins have no speech detector: nothing happens.
 * VP_ERR_ARGUMENT when the scratch holds no clip. Never allocates.
 */
enum vp_status vp_clip_speech(vp_scratch *scratch, bool speech_only, struct vp_clip_info *info,
                              struct vp_err *err) VP_MUST_CHECK;

/*
 * Kaldi log-mel features of the clip, mean over time removed: [n_frames, n_mels], row-major. Of all
 * its frames, or of those near speech, if vp_clip_speech said so.
 * *features is borrowed from the scratch until the next clip; either output may be NULL.
 * VP_ERR_ARGUMENT when the scratch holds no clip.
 */
enum vp_status vp_clip_fbank(vp_scratch *scratch, const float **features, size_t *n_frames,
                             struct vp_err *err) VP_MUST_CHECK;

/*
 * Runs the network on the features of the last vp_clip_fbank. Writes dim floats: the embedding
 * before normalisation, [dim]; *norm is its L2 norm. VP_ERR_INFERENCE: it is zero, constant or not
 * finite. VP_ERR_ARGUMENT: there are no features of the clip at hand.
 * VP_ERR_CANCELLED: as vp_scratch_watch says.
 */
enum vp_status vp_clip_embed(vp_scratch *scratch, float *embedding, double *norm,
                             struct vp_err *err) VP_MUST_CHECK;

/*
 * vp_clip_embed, calling tap for every frame of every stage: "conv1", "layer1" .. "layer4" with
 * frame [n_channels, n_freq] at time t (of CAM++ "conv1", "layer1", "layer2", "head", then "tdnn",
 * "block1" .. "block3", whose n_freq is 1), and once each (t = 0) "pooled" [2 * C * F, 1] and
 * "embedding" [dim, 1]. For tools and tests; as fast as the plain call but for the taps.
 */
typedef void (*vp_tap)(void *ctx, const char *stage, size_t n_channels, size_t n_freq, size_t t,
                       const float *frame);
enum vp_status vp_clip_embed_tapped(vp_scratch *scratch, vp_tap tap, void *ctx, float *embedding,
                                    double *norm, struct vp_err *err) VP_MUST_CHECK;

/*
 * One clip on several threads: while vp_clip_embed runs on scratch, up to max_threads - 1 other
 * threads that have nothing else to do may call this. They take a share of the work until the
 * embedding is there, or until leave(ctx), which is asked every few microseconds and may be NULL,
 * says that the thread is wanted elsewhere. Coming late, leaving early or not coming at all changes
 * how long it takes and no bit of the result. Returns at once when nothing runs. The scratch must
 * not be freed before every helper has returned: the one call that several threads may make on it.
 */
void vp_clip_help(vp_scratch *scratch, bool (*leave)(void *ctx), void *ctx);

/* ---- self-test ---------------------------------------------------------------------------- */

struct vp_self_test {
    bool has_reference; /* the model file brings a vector to compare with */
    double cosine;      /* with that vector; 0 when there is none */
    double norm;        /* L2 norm of the embedding of the built-in signal */
};
/*
 * Embeds the built-in signals and judges the answers: finite, not zero, not constant, two
 * different signals do not give the same vector, and cosine >= 0.9999 with the model's own
 * reference vector where it brings one. Replaces the clip in the scratch by the built-in signal of
 * that vector, features computed: vp_clip_embed then gives the vector that a file should bring.
 * VP_ERR_SELF_TEST: an answer is wrong, and *result says what was measured. VP_ERR_ARGUMENT when
 * the scratch holds less than 2 s.
 */
enum vp_status vp_model_self_test(vp_scratch *scratch, struct vp_self_test *result,
                                  struct vp_err *err) VP_MUST_CHECK;

/* ---- score -------------------------------------------------------------------------------- */

/* L2-normalises embedding [dim] in place; *norm is what it was, and may be NULL. VP_ERR_ARGUMENT: a
 * value that is not finite, or a norm below 1e-6; the embedding is then as it was. */
enum vp_status vp_embedding_normalize(float *embedding, size_t dim, double *norm,
                                      struct vp_err *err) VP_MUST_CHECK;
/*
 * The embedding of a side: the mean of n normalised embeddings [n, dim], normalised again.
 * *coherence = mean pairwise cosine, 1 when n is 1. out [dim] is none of embeddings.
 * VP_ERR_ARGUMENT: n is 0, one of them is not normalised, or they cancel.
 */
enum vp_status vp_embedding_average(const float *embeddings, size_t n, size_t dim, float *out,
                                    double *coherence, struct vp_err *err) VP_MUST_CHECK;
/* Cosine of two normalised embeddings [dim], clamped to [-1, 1]. */
double vp_cosine(const float *a, const float *b, size_t dim);
/* *llr = slope cosine + offset, the natural logarithm of the likelihood ratio of one speaker
 * against two; *p = 1 / (1 + exp(-llr)), the probability of one speaker at even prior odds. */
void vp_calibrate(double slope, double offset, double cosine, double *llr, double *p);

#endif
