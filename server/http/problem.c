/* The table of errors, and the map from the engine's status to it. */
#include "http/problem.h"

#include "util/crash.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct problem_rule rules[N_PROBLEMS] = {
    [PROBLEM_NONE] = {"", 200, "", false, false},
    [PROBLEM_BAD_REQUEST] = {"bad-request", 400, "Bad request", false, false},
    [PROBLEM_EMPTY_BODY] = {"empty-body", 400, "Empty body", false, false},
    [PROBLEM_AMBIGUOUS_FRAMING] = {"ambiguous-framing", 400, "Ambiguous framing", true, false},
    [PROBLEM_UNAUTHORIZED] = {"unauthorized", 401, "Unauthorized", false, false},
    [PROBLEM_FOREIGN_HOST] = {"foreign-host", 403, "Foreign host", false, false},
    [PROBLEM_FORBIDDEN_SCOPE] = {"forbidden-scope", 403, "Forbidden by the key's scopes", false,
                                 false},
    [PROBLEM_FORBIDDEN_COLLECTION] = {"forbidden-collection", 403, "Forbidden collection", false,
                                      false},
    [PROBLEM_NOT_FOUND] = {"not-found", 404, "Not found", false, false},
    [PROBLEM_METHOD_NOT_ALLOWED] = {"method-not-allowed", 405, "Method not allowed", false, false},
    [PROBLEM_UPLOAD_TOO_SLOW] = {"upload-too-slow", 408, "Upload too slow", true, false},
    [PROBLEM_VOICE_UNUSABLE] = {"voice-unusable", 409, "Voice unusable", false, false},
    [PROBLEM_VOICES_FULL] = {"voices-full", 409, "No room for more voices", false, false},
    [PROBLEM_PRECONDITION_FAILED] = {"precondition-failed", 412, "Precondition failed", false,
                                     false},
    [PROBLEM_BODY_TOO_LARGE] = {"body-too-large", 413, "Body too large", true, false},
    [PROBLEM_UNSUPPORTED_AUDIO] = {"unsupported-audio", 415, "Unsupported audio", false, false},
    [PROBLEM_EXPECTATION_FAILED] = {"expectation-failed", 417, "Expectation failed", false, false},
    [PROBLEM_UNDECODABLE_AUDIO] = {"undecodable-audio", 422, "Undecodable audio", false, false},
    [PROBLEM_AUDIO_TOO_SHORT] = {"audio-too-short", 422, "Audio too short", false, false},
    [PROBLEM_AUDIO_TOO_LONG] = {"audio-too-long", 422, "Audio too long", false, false},
    [PROBLEM_NO_SIGNAL] = {"no-signal", 422, "No signal", false, false},
    [PROBLEM_INVALID_SAMPLES] = {"invalid-samples", 422, "Invalid samples", false, false},
    [PROBLEM_UNSUPPORTED_RATE] = {"unsupported-rate", 422, "Unsupported sample rate", false, false},
    [PROBLEM_TOO_MANY_CHANNELS] = {"too-many-channels", 422, "Too many channels", false, false},
    [PROBLEM_NO_SUCH_CHANNEL] = {"no-such-channel", 422, "No such channel", false, false},
    [PROBLEM_CLIPS_DISAGREE] = {"clips-disagree", 422, "Clips disagree", false, false},
    [PROBLEM_SHARE_USED_UP] = {"share-used-up", 429, "Share used up", false, true},
    [PROBLEM_INFERENCE_FAILED] = {"inference-failed", 500, "Inference failed", false, false},
    [PROBLEM_OVERLOADED] = {"overloaded", 503, "Overloaded", false, true},
    [PROBLEM_OVERLOADED_MEMORY] = {"overloaded-memory", 503, "Upload memory is full", false, true},
    [PROBLEM_QUEUE_TIMEOUT] = {"queue-timeout", 503, "Waited too long", false, true},
    [PROBLEM_NOT_READY] = {"not-ready", 503, "Not ready", false, true},
    [PROBLEM_DRAINING] = {"draining", 503, "Draining", true, true},
    [PROBLEM_STUCK] = {"stuck", 503, "A worker is stuck", false, true},
    [PROBLEM_STORE_UNAVAILABLE] = {"store-unavailable", 503, "Store unavailable", false, true},
};

static const enum problem_kind from_status[] = {
    [VP_OK] = PROBLEM_NONE,
    [VP_ERR_ARGUMENT] = PROBLEM_BAD_REQUEST,
    [VP_ERR_NO_MEMORY] = PROBLEM_OVERLOADED_MEMORY,
    [VP_ERR_IO] = PROBLEM_INFERENCE_FAILED,
    [VP_ERR_MODEL] = PROBLEM_INFERENCE_FAILED,
    [VP_ERR_SELF_TEST] = PROBLEM_INFERENCE_FAILED,
    [VP_ERR_AUDIO_EMPTY] = PROBLEM_EMPTY_BODY,
    [VP_ERR_AUDIO_UNSUPPORTED] = PROBLEM_UNSUPPORTED_AUDIO,
    [VP_ERR_AUDIO_UNDECODABLE] = PROBLEM_UNDECODABLE_AUDIO,
    [VP_ERR_AUDIO_RATE] = PROBLEM_UNSUPPORTED_RATE,
    [VP_ERR_AUDIO_CHANNELS] = PROBLEM_TOO_MANY_CHANNELS,
    [VP_ERR_AUDIO_NO_CHANNEL] = PROBLEM_NO_SUCH_CHANNEL,
    [VP_ERR_AUDIO_SAMPLES] = PROBLEM_INVALID_SAMPLES,
    [VP_ERR_AUDIO_TOO_SHORT] = PROBLEM_AUDIO_TOO_SHORT,
    [VP_ERR_AUDIO_TOO_LONG] = PROBLEM_AUDIO_TOO_LONG,
    [VP_ERR_AUDIO_SILENT] = PROBLEM_NO_SIGNAL,
    [VP_ERR_INFERENCE] = PROBLEM_INFERENCE_FAILED,
    [VP_ERR_CANCELLED] =
        PROBLEM_QUEUE_TIMEOUT, /* nobody reads it: its request has had its answer */
};

const struct problem_rule *problem_rule(enum problem_kind kind)
{
    VP_BUG_IF((size_t)kind >= N_PROBLEMS);
    return &rules[kind];
}

static void set(struct problem *problem, enum problem_kind kind, const char *format, va_list args)
{
    memset(problem, 0, sizeof *problem);
    problem->kind = kind;
    vsnprintf(problem->detail, sizeof problem->detail, format, args);
}

void problem_set(struct problem *problem, enum problem_kind kind, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    set(problem, kind, format, args);
    va_end(args);
}

void problem_set_framing(struct problem *problem, const char *fault)
{
    problem_set(problem, PROBLEM_AMBIGUOUS_FRAMING,
                "%s: the request is refused, because two readers could take it apart differently",
                fault);
}

void problem_set_field(struct problem *problem, const char *field, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    set(problem, PROBLEM_BAD_REQUEST, format, args);
    va_end(args);
    snprintf(problem->field, sizeof problem->field, "%s", field);
}

bool problem_refuse_field(struct problem *problem, const char *field, const char *sentence)
{
    problem_set_field(problem, field, "%s", sentence);
    return false;
}

void problem_set_overloaded(struct problem *problem)
{
    problem_set(problem, PROBLEM_OVERLOADED,
                "all workers are busy and the queue is full; try again, or another instance");
}

void problem_set_share(struct problem *problem, const char *what)
{
    problem_set(problem, PROBLEM_SHARE_USED_UP,
                "others need %s, and the address or key of this request holds more than its share "
                "of it (client_share_percent); send less at a time, and try again",
                what);
}

void problem_set_not_finite(struct problem *problem, const char *member)
{
    problem_set(problem, PROBLEM_INFERENCE_FAILED,
                "the answer would hold a number that is not finite, in \"%s\"",
                member != NULL ? member : "?");
}

void problem_set_no_memory(struct problem *problem)
{
    problem_set(problem, PROBLEM_OVERLOADED_MEMORY, "memory is short; try again");
}

void problem_set_not_read(struct problem *problem)
{
    problem_set(problem, PROBLEM_STORE_UNAVAILABLE,
                "known voices could not be read yet; try again");
}

void problem_from_engine(struct problem *problem, const struct vp_err *err)
{
    size_t i = (size_t)err->status;
    VP_BUG_IF(i == VP_OK || i >= sizeof from_status / sizeof from_status[0]);
    problem_set(problem, from_status[i], "%s", err->message);
    problem->value = err->value;
    problem->limit = err->limit;
    snprintf(problem->detected, sizeof problem->detected, "%s", err->detected);
}
