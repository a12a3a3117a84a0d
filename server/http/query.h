/* Options of the contract, in the query or in a form: each at most once, anything else is refused.
 */
#ifndef VP_QUERY_H
#define VP_QUERY_H

#include "diarization.h"
#include "http/problem.h"
#include "util/name.h"

enum { QUERY_MAX_BYTES = 2048, QUERY_MAX_OPTIONS = 24, URI_ROOM = 65, NAME_ROOM = 129 };

/* The form of an answer of /diarize. The last two need a transcript in the request. */
enum query_format { FORMAT_JSON = 0, FORMAT_RTTM, FORMAT_TRANSCRIPT, FORMAT_TEXT };

struct query {
    unsigned allowed, seen; /* bits of the options that the route takes, that were given */
    bool normalize;         /* default true */
    bool base64;            /* encoding=base64: little-endian float32 */
    bool has_threshold;     /* threshold=x */
    double threshold;
    struct vp_clip_options clip; /* on_damage=accept, channel=x */
    bool has_speech_only;        /* speech_only=x: else as configured */
    bool speech_only;
    /* For /diarize only. */
    unsigned num_speakers, min_speakers, max_speakers; /* 0: not given */
    enum vp_diarize_engine engine;
    bool has_min_on, has_min_off;
    double min_on_s, min_off_s;
    bool embeddings; /* embeddings=true: one for each speaker */
    enum query_format format;
    char uri[URI_ROOM]; /* the recording's name in RTTM */
    /* For known voices only. */
    bool identify;                    /* identify=true: names for the speakers of /diarize */
    char collection[COLLECTION_ROOM]; /* default "default" */
    char after[NAME_ROOM];            /* an id; "": from the beginning */
    char confirm[COLLECTION_ROOM];    /* a collection; "": not given */
    unsigned limit, top;
    bool lines; /* no option: the answer is to come in lines, by `Accept` */
};

enum {
    QUERY_NORMALIZE = 1 << 0,
    QUERY_ENCODING = 1 << 1,
    QUERY_THRESHOLD = 1 << 2,
    QUERY_NUM_SPEAKERS = 1 << 3,
    QUERY_MIN_SPEAKERS = 1 << 4,
    QUERY_MAX_SPEAKERS = 1 << 5,
    QUERY_ENGINE = 1 << 6,
    QUERY_MIN_ON = 1 << 7,
    QUERY_MIN_OFF = 1 << 8,
    QUERY_EMBEDDINGS = 1 << 9,
    QUERY_FORMAT = 1 << 10,
    QUERY_URI = 1 << 11,
    QUERY_ON_DAMAGE = 1 << 12,
    QUERY_SPEECH_ONLY = 1 << 13,
    QUERY_CHANNEL = 1 << 14,
    QUERY_COLLECTION = 1 << 15,
    QUERY_LIMIT = 1 << 16,
    QUERY_AFTER = 1 << 17,
    QUERY_CONFIRM = 1 << 18,
    QUERY_TOP = 1 << 19,
    QUERY_IDENTIFY = 1 << 20,
    QUERY_SPLIT = 1 << 21, /* no option, but a value: channel=split */
    /* Whose voices: in the target alone, as it decides what a key may do before the body is read */
    QUERY_TARGET = QUERY_COLLECTION | QUERY_IDENTIFY,
    QUERY_CLIP = QUERY_ON_DAMAGE | QUERY_CHANNEL, /* how a recording is read */
    QUERY_DIARIZE = QUERY_ENCODING | QUERY_THRESHOLD | QUERY_NUM_SPEAKERS | QUERY_MIN_SPEAKERS |
                    QUERY_MAX_SPEAKERS | QUERY_ENGINE | QUERY_MIN_ON | QUERY_MIN_OFF |
                    QUERY_EMBEDDINGS | QUERY_FORMAT | QUERY_URI | QUERY_CLIP | QUERY_SPLIT |
                    QUERY_TARGET
};

/* Parses text, the raw part behind '?' or NULL. `allowed` holds the bits of the options that the
 * route takes. False: problem names the option. [any] */
bool query_parse(const char *text, unsigned allowed, struct query *query,
                 struct problem *problem) VP_MUST_CHECK;
/* Is name an option that the route takes? [any] */
bool query_takes(const struct query *query, const char *name) VP_MUST_CHECK;
/* Sets one option more. False: problem names it. [any] */
bool query_set(struct query *query, const char *name, const char *value,
               struct problem *problem) VP_MUST_CHECK;
/* False: options contradict each other. To be called after the last query_set. [any] */
bool query_judge(const struct query *query, struct problem *problem) VP_MUST_CHECK;

#endif
