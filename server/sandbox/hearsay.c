/* Status, numbers, sentences. */
#include "sandbox/hearsay.h"

#include <math.h>
#include <stdio.h>

static bool is_a_decoders(enum vp_status status)
{
    return status == VP_ERR_NO_MEMORY ||
           (status >= VP_ERR_AUDIO_EMPTY && status <= VP_ERR_AUDIO_SILENT);
}

static void copy_text(char *out, size_t room, const char *text)
{
    size_t n = 0;
    for (; n + 1 < room && text[n] != 0; n++)
        out[n] = text[n] >= ' ' && text[n] <= '~' ? text[n] : '?';
    out[n] = 0;
}

enum vp_status hearsay_error(const struct reply_message *reply, struct vp_err *err)
{
    if (reply->status == VP_OK)
        return VP_OK;
    const bool is_known = is_a_decoders(reply->status);
    *err = (struct vp_err){.status = is_known ? reply->status : VP_ERR_AUDIO_UNDECODABLE};
    if (!is_known) {
        snprintf(err->message, sizeof err->message,
                 "what decoded this recording gave an answer that cannot be");
        return err->status;
    }
    err->value = isfinite(reply->err.value) ? reply->err.value : 0.0;
    err->limit = isfinite(reply->err.limit) ? reply->err.limit : 0.0;
    copy_text(err->detected, sizeof err->detected, reply->err.detected);
    copy_text(err->message, sizeof err->message, reply->err.message);
    return err->status;
}
