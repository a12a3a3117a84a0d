/*
 * Every error of the contract: one table with name, HTTP status, title and whether the
 * connection closes, and one struct that says what happened. problem_from_engine is the one place
 * where an error of the engine becomes one of HTTP.
 */
#ifndef VP_PROBLEM_H
#define VP_PROBLEM_H

#include "voiceprint.h"

#include <stdbool.h>
#include <stddef.h>

enum problem_kind {
    PROBLEM_NONE = 0,
    PROBLEM_BAD_REQUEST,
    PROBLEM_EMPTY_BODY,
    PROBLEM_AMBIGUOUS_FRAMING,
    PROBLEM_UNAUTHORIZED,
    PROBLEM_FOREIGN_HOST,
    PROBLEM_FORBIDDEN_SCOPE,
    PROBLEM_FORBIDDEN_COLLECTION,
    PROBLEM_NOT_FOUND,
    PROBLEM_METHOD_NOT_ALLOWED,
    PROBLEM_UPLOAD_TOO_SLOW,
    PROBLEM_VOICE_UNUSABLE,
    PROBLEM_VOICES_FULL,
    PROBLEM_PRECONDITION_FAILED,
    PROBLEM_BODY_TOO_LARGE,
    PROBLEM_UNSUPPORTED_AUDIO,
    PROBLEM_EXPECTATION_FAILED,
    PROBLEM_UNDECODABLE_AUDIO,
    PROBLEM_AUDIO_TOO_SHORT,
    PROBLEM_AUDIO_TOO_LONG,
    PROBLEM_NO_SIGNAL,
    PROBLEM_INVALID_SAMPLES,
    PROBLEM_UNSUPPORTED_RATE,
    PROBLEM_TOO_MANY_CHANNELS,
    PROBLEM_NO_SUCH_CHANNEL,
    PROBLEM_CLIPS_DISAGREE,
    PROBLEM_SHARE_USED_UP,
    PROBLEM_INFERENCE_FAILED,
    PROBLEM_OVERLOADED,
    PROBLEM_OVERLOADED_MEMORY,
    PROBLEM_QUEUE_TIMEOUT,
    PROBLEM_NOT_READY,
    PROBLEM_DRAINING,
    PROBLEM_STUCK,
    PROBLEM_STORE_UNAVAILABLE,
    N_PROBLEMS
};

struct problem_rule {
    const char *name; /* urn:voiceprintd:problem:<name> */
    unsigned status;
    const char *title;
    bool close; /* the connection ends with the answer */
    bool retry; /* carries Retry-After, counted as a rejection for shortage */
};

/* What went wrong with one request. No member points anywhere. */
struct problem {
    enum problem_kind kind;
    char detail[320];
    char field[64];   /* the part, member or option at fault, "" where none applies */
    char side;        /* 'a' or 'b' of /compare, 0 where none applies */
    bool has_clip;    /* of several; with side always */
    size_t clip;      /* which clip of the side, or of the request, from 0 */
    size_t max_bytes; /* body-too-large */
    double value;     /* seconds, dBFS, Hz or channels, as the kind says */
    double limit;
    char detected[32]; /* unsupported-audio */
};

const struct problem_rule *problem_rule(enum problem_kind kind); /* [any] never NULL */

/* Fills problem with kind and the formatted detail, everything else cleared. [any] */
void problem_set(struct problem *problem, enum problem_kind kind, const char *format, ...)
    VP_PRINTF(3, 4);
/* Why the framing of a request is ambiguous, as a sentence without its end. [any] */
void problem_set_framing(struct problem *problem, const char *fault);
/* The same, naming the field at fault. [any] */
void problem_set_field(struct problem *problem, const char *field, const char *format, ...)
    VP_PRINTF(3, 4);
/* The same for a whole sentence. Always false, for who returns whether all is well. [any] */
bool problem_refuse_field(struct problem *problem, const char *field, const char *sentence);
/* All workers are busy and the queue is full. [any] */
void problem_set_overloaded(struct problem *problem);
/* Somebody within his share needs `what`, of which this client holds more than its own. [any] */
void problem_set_share(struct problem *problem, const char *what);
/* A number of ours that JSON cannot carry is our failure; member NULL: unknown. [any] */
void problem_set_not_finite(struct problem *problem, const char *member);
/* An allocation failed. [any] */
void problem_set_no_memory(struct problem *problem);
/* Known voices could not be read from their file. [any] */
void problem_set_not_read(struct problem *problem);
/* The engine's error as a problem; err->status is not VP_OK. [any] */
void problem_from_engine(struct problem *problem, const struct vp_err *err);

#endif
