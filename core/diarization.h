/*
 * Who spoke when: a recording of several voices -> turns, one label a speaker.
 *
 * A public header of libvoiceprint; the conventions of voiceprint.h hold here too. One more opaque
 * handle:
 *
 *   vp_diarization   one recording on its way: what was heard of it so far, then the answer.
 *
 * The work is cut into steps of about 40 ms, so that a worker can do other things in
 * between; any worker's scratch serves, a different one at each step if need be:
 *
 *   vp_diarization *d;
 *   status = vp_diarization_new(model, NULL, &options, bytes, n_bytes, &d, &err);
 *   while (status == VP_OK && !progress.done)
 *       status = vp_diarization_step(d, scratch, &progress, &err);
 *   const struct vp_diarization_result *result = vp_diarization_result(d);
 *   ...
 *   vp_diarization_free(d);
 *
 * The recording is decoded as a stream and never held as samples: per hour of audio about 20 MiB
 * are kept (embeddings of speech windows, some numbers a frame and voice), whatever its rate and
 * channels.
 *
 * The same bytes, options and models give the same result to the last bit, on one worker or on
 * many, whatever lies between the steps (the kernel in use is part of the model: see vp_kernel).
 *
 * Two engines:
 *
 *   VP_DIARIZE_VAD           speech detection, windows of 1.5 s, clustering. Needs nothing but the
 *                            embedding model. Where the library holds a net for that model (for the
 *                            one in the box it does), each voice is then followed by itself in a
 *                            second hearing, and several may speak at once. Without such a net, and
 *                            below a second of audio, each instant is given to one speaker, and the
 *                            result warns so.
 *   VP_DIARIZE_SEGMENTATION  the same on the speech that a segmentation network hears
 *                            (pyannote/segmentation-3.0), which also says how many speak at once,
 *                            up to two.
 *
 * Times are seconds from the start of the recording; rates, channels and containers as in
 * voiceprint.h. Thread rule: one vp_diarization belongs to one thread at a time. A step may run on
 * another thread than the one before, when a lock or a queue orders the two.
 */
#ifndef VP_DIARIZATION_H
#define VP_DIARIZATION_H

#include "voiceprint.h"

#define VP_DIARIZE_MAX_SPEAKERS 20u

/* ---- segmentation model ------------------------------------------------------------------- */

/* An opened segmentation network. Immutable; any number of threads may use it. */
typedef struct vp_segmentation vp_segmentation;

struct vp_segmentation_info {
    const char *name;    /* from the file, else its base name; borrowed from the model */
    const char *license; /* terms of the weights, from the file, or NULL; borrowed as name is */
    const char *origin;  /* whose they are, the same */
    const char *format;  /* "onnx" or "safetensors" */
    char digest[72];     /* "sha256:" + 64 hex digits of the file's bytes */
    size_t weights_bytes;
    bool untrained; /* the metadata says the weights are random */
};

/* Opens the file at path, told apart by content; every tensor is checked. kernel: as for
 * vp_model_open. Returns owned *out (vp_segmentation_free), NULL on error: VP_ERR_IO, VP_ERR_MODEL,
 * VP_ERR_ARGUMENT (the kernel), VP_ERR_NO_MEMORY. The model must outlive every vp_diarization that
 * borrows it. */
enum vp_status vp_segmentation_open(const char *path, enum vp_kernel kernel, vp_segmentation **out,
                                    struct vp_err *err) VP_MUST_CHECK;
/* The network that is taken without being named: segmentation.safetensors in the folder of
 * model_path, to path [n_path]. False when no such file can be read, or its path is longer. */
bool vp_segmentation_beside(const char *model_path, char *path, size_t n_path) VP_MUST_CHECK;
void vp_segmentation_free(vp_segmentation *segmentation); /* takes; NULL is legal */
/* Borrowed from segmentation. */
const struct vp_segmentation_info *vp_segmentation_info(const vp_segmentation *segmentation);

/*
 * One window through the network, for tools and tests: samples [VP_SEGMENTATION_SAMPLES], 10 s of
 * 16 kHz mono -> log_probs [VP_SEGMENTATION_FRAMES, VP_SEGMENTATION_CLASSES], of the sets of
 * speakers {}, {0}, {1}, {2}, {0,1}, {0,2}, {1,2}. Allocates its workspace, 10 MiB.
 * VP_ERR_NO_MEMORY, VP_ERR_INFERENCE.
 */
#define VP_SEGMENTATION_SAMPLES 160000u
#define VP_SEGMENTATION_FRAMES  589u
#define VP_SEGMENTATION_CLASSES 7u
enum vp_status vp_segmentation_run(const vp_segmentation *segmentation, const float *samples,
                                   float *log_probs, struct vp_err *err) VP_MUST_CHECK;

/* ---- options ------------------------------------------------------------------------------ */

/* AUTO: the segmentation network where there is one, else VAD. */
enum vp_diarize_engine { VP_DIARIZE_AUTO = 0, VP_DIARIZE_VAD, VP_DIARIZE_SEGMENTATION };

/* "auto", "vad", "segmentation" <-> value. Parse returns false on any other word. */
const char *vp_diarize_engine_name(enum vp_diarize_engine engine);
bool vp_diarize_engine_parse(const char *name, enum vp_diarize_engine *out) VP_MUST_CHECK;

/* A stretch of time, end_s > start_s. */
struct vp_span {
    double start_s, end_s;
};

/* Start from vp_diarize_options_default. */
struct vp_diarize_options {
    /* How many speakers. num_speakers, or a range, or nothing; 0 is "not said". Each 1..20. */
    unsigned num_speakers;
    unsigned min_speakers, max_speakers;
    /* Cosine from which two voices are taken for one speaker, -1..1: higher finds more speakers.
     * NAN: the model's own. Without effect on a number of speakers that was given. */
    double threshold;
    enum vp_diarize_engine engine;
    double min_on_s;       /* shorter turns are dropped, 0..5 */
    double min_off_s;      /* shorter pauses within one speaker's turn are filled, 0..5 */
    double max_duration_s; /* longer recordings are VP_ERR_AUDIO_TOO_LONG; INFINITY: no limit */
    bool accept_damage;    /* as in struct vp_clip_options, as is the next */
    const struct vp_decoder *decoder;
    /* As there; or VP_CHANNEL_SPLIT, for recordings with a party or more a channel: each channel is
     * diarized by itself, numbers of speakers are said of each channel, and the durations of all
     * count together against max_duration_s. Not with speech. */
    unsigned channel;
    /* Where there is speech, for callers who know better than the engine: sorted, not touching;
     * borrowed until the result is there. NULL: the engine finds out. Engine VAD only. */
    const struct vp_span *speech;
    size_t n_speech;
};
/* Nothing said of speakers, NAN, AUTO, 0.2, 0.3, 3600, VP_CHANNEL_MIX, no speech given. */
void vp_diarize_options_default(struct vp_diarize_options *out);

/* ---- running ------------------------------------------------------------------------------ */

typedef struct vp_diarization vp_diarization;

/*
 * Begins with one recording: judges options and the container; nothing is decoded yet. Borrows
 * model and segmentation (may be NULL) for its life, and bytes until the last step is done or the
 * handle is freed; a memory-mapped file will do. options are copied, but for options->speech.
 * Returns owned *out (vp_diarization_free), NULL on error: VP_ERR_ARGUMENT (options: the sentence
 * names the one that is wrong), VP_ERR_AUDIO_EMPTY, _UNSUPPORTED, _UNDECODABLE, VP_ERR_NO_MEMORY.
 */
enum vp_status vp_diarization_new(const vp_model *model, const vp_segmentation *segmentation,
                                  const struct vp_diarize_options *options, const void *bytes,
                                  size_t n_bytes, vp_diarization **out,
                                  struct vp_err *err) VP_MUST_CHECK;

/* Takes; NULL is legal. At any time between two steps: what was begun is dropped. */
void vp_diarization_free(vp_diarization *diarization);

struct vp_diarize_progress {
    double fraction;   /* 0..1 of the whole work, never falls; an estimate until the end is seen */
    const char *stage; /* "embed", "cluster", "track", "done": borrowed static string */
    double heard_s;    /* seconds of the recording behind us; of its channels, where it is split */
    bool done;         /* the result is there */
};

/*
 * Does about 40 ms of work on one core with scratch, which must belong to the same model and
 * hold clips of at least 2 s (vp_limits.max_duration_s; 6 s with a segmentation network, and from
 * stage "track" on, which is left out where the scratch at its beginning holds less), else
 * VP_ERR_ARGUMENT. The clip in the scratch is lost. After the step that sets done, further steps
 * do nothing.
 * Errors: every VP_ERR_AUDIO_* that decoding can meet (never _TOO_SHORT, never _SILENT: silence
 * is an answer without turns), VP_ERR_INFERENCE, VP_ERR_NO_MEMORY. An error is final: the same
 * error comes from every later step.
 */
enum vp_status vp_diarization_step(vp_diarization *diarization, vp_scratch *scratch,
                                   struct vp_diarize_progress *progress,
                                   struct vp_err *err) VP_MUST_CHECK;

/* Memory held at the moment; the decoder's own is not known and small. */
size_t vp_diarization_bytes(const vp_diarization *diarization);

/* ---- result ------------------------------------------------------------------------------- */

#define VP_SPEAKER_LABEL_CHARS 20
/* "SPEAKER_00" for 0, and so on, to label [VP_SPEAKER_LABEL_CHARS], which it returns. */
const char *vp_speaker_label(unsigned speaker, char *label);

/* One speaker, without a pause. */
struct vp_turn {
    double start_s, end_s; /* in whole milliseconds, end_s > start_s */
    unsigned speaker;      /* index into speakers; see vp_speaker_label */
    /* 0..1: where voices are followed by themselves, how probable it is that this one speaks; with
     * a segmentation network the mean of that and of the share of its windows that hear it here;
     * else how much nearer it is than the next; -1: one only. */
    double confidence;
};

struct vp_diarized_speaker {
    unsigned channel;       /* in which it speaks, 1 or more; VP_CHANNEL_MIX: all were mixed */
    double speech_s;        /* sum of the turns in segments */
    double share;           /* of all speakers' speech_s */
    size_t n_segments;      /* turns in segments */
    double coherence;       /* mean cosine of its windows with its embedding, -1..1 */
    const float *embedding; /* [dim], L2 norm 1: what /compare takes */
};

/* Remarks on a diarization: a bit set, in the order of the contract. */
enum vp_diarize_warning {
    VP_DIARIZE_WARN_NO_SPEECH = 1u << 0,
    VP_DIARIZE_WARN_FEWER_SPEAKERS = 1u << 1, /* than num_speakers or min_speakers asked for */
    VP_DIARIZE_WARN_SHORT_AUDIO = 1u << 2,    /* below 5 s */
    VP_DIARIZE_WARN_MANY_SPEAKERS = 1u << 3,  /* as many as max_speakers allows, or 20 */
    VP_DIARIZE_WARN_NO_OVERLAP = 1u << 4      /* simultaneous voices were not told */
};
#define VP_N_DIARIZE_WARNINGS 5
/* Name of warning bit i, 0 <= i < VP_N_DIARIZE_WARNINGS: "no_speech",
 * "fewer_speakers_than_asked", "short_audio", "many_speakers", "no_overlap_detection". Borrowed
 * static string. */
const char *vp_diarize_warning_name(unsigned i);

struct vp_diarization_result {
    enum vp_diarize_engine engine; /* that did it, never AUTO */
    /* Format and level of the recording, and the warnings of enum vp_warning that apply to a
     * conversation: low_level, clipping, narrowband_source, channels_differ, dc_offset,
     * length_mismatch, damaged. */
    struct vp_clip_info clip;
    double duration_s;       /* of the recording */
    double speech_s;         /* time in which anybody speaks */
    double overlap_s;        /* time in which two or more do; 0 where nobody could tell */
    size_t n_speakers;       /* 0 without speech; of a split recording: of all channels together */
    bool num_speakers_given; /* num_speakers was asked for and honoured: "request" */
    double threshold;        /* that was used */
    /* All turns, sorted by start, then speaker. Turns of one speaker neither overlap nor touch. */
    size_t n_segments;
    const struct vp_turn *segments;
    /* The same for readers of one voice at a time (subtitles): no two overlap at all. */
    size_t n_exclusive;
    const struct vp_turn *exclusive;
    const struct vp_diarized_speaker *speakers; /* [n_speakers], in order of first speech */
    unsigned warnings;                          /* bits of enum vp_diarize_warning */
};

/* The answer, borrowed from the handle with all that it points to; NULL before it is done. */
const struct vp_diarization_result *vp_diarization_result(const vp_diarization *diarization);

/*
 * The segments as RTTM: one line a turn, ten fields, milliseconds; channel 1 where all were mixed,
 * else the speaker's. uri names the recording: 1 to 1024 bytes, no blank or control character among
 * them, else VP_ERR_ARGUMENT. Returns owned *text (free()), a string of *n_chars, empty without
 * speech. VP_ERR_NO_MEMORY.
 */
enum vp_status vp_diarization_rttm(const struct vp_diarization_result *result, const char *uri,
                                   char **text, size_t *n_chars, struct vp_err *err) VP_MUST_CHECK;

#endif
