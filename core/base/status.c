/* Error codes, their names and their sentences. */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const names[] = {
    [VP_OK] = "ok",
    [VP_ERR_ARGUMENT] = "bad-argument",
    [VP_ERR_NO_MEMORY] = "no-memory",
    [VP_ERR_IO] = "io-error",
    [VP_ERR_MODEL] = "bad-model",
    [VP_ERR_SELF_TEST] = "self-test-failed",
    [VP_ERR_AUDIO_EMPTY] = "empty-body",
    [VP_ERR_AUDIO_UNSUPPORTED] = "unsupported-audio",
    [VP_ERR_AUDIO_UNDECODABLE] = "undecodable-audio",
    [VP_ERR_AUDIO_RATE] = "unsupported-rate",
    [VP_ERR_AUDIO_CHANNELS] = "too-many-channels",
    [VP_ERR_AUDIO_NO_CHANNEL] = "no-such-channel",
    [VP_ERR_AUDIO_SAMPLES] = "invalid-samples",
    [VP_ERR_AUDIO_TOO_SHORT] = "audio-too-short",
    [VP_ERR_AUDIO_TOO_LONG] = "audio-too-long",
    [VP_ERR_AUDIO_SILENT] = "no-signal",
    [VP_ERR_INFERENCE] = "inference-failed",
    [VP_ERR_CANCELLED] = "cancelled",
};

const char *vp_status_name(enum vp_status status)
{
    size_t i = (size_t)status;
    return i < sizeof names / sizeof names[0] ? names[i] : "unknown";
}

static void fill(struct vp_err *err, enum vp_status status, const char *format, va_list args)
{
    memset(err, 0, sizeof *err);
    err->status = status;
    vsnprintf(err->message, sizeof err->message, format, args);
}

enum vp_status status_fail(struct vp_err *err, enum vp_status status, const char *format, ...)
{
    if (err != NULL) {
        va_list args;
        va_start(args, format);
        fill(err, status, format, args);
        va_end(args);
    }
    return status;
}

enum vp_status status_fail_limit(struct vp_err *err, enum vp_status status, double value,
                                 double limit, const char *format, ...)
{
    if (err != NULL) {
        va_list args;
        va_start(args, format);
        fill(err, status, format, args);
        va_end(args);
        err->value = value;
        err->limit = limit;
    }
    return status;
}

enum vp_status status_no_memory(struct vp_err *err, const char *what, size_t n_bytes)
{
    return status_fail(err, VP_ERR_NO_MEMORY,
                       "out of memory: %zu bytes for %s; lower max_duration_s or workers, or give "
                       "the process more memory",
                       n_bytes, what);
}
