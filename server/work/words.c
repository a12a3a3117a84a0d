/* A transcript on its way through the workers. */
#include "work/words.h"

#include "util/thread.h"

#include <stdio.h>
#include <stdlib.h>

enum vp_status words_read(struct words *words, struct vp_err *err)
{
    ON_WORKER();
    if (words->bytes == NULL)
        return VP_OK;
    struct vp_err why;
    enum vp_status status =
        vp_transcript_read(words->bytes, words->n_bytes, &words->transcript, &why);
    if (status == VP_OK)
        return VP_OK;
    words->is_refused = status == VP_ERR_ARGUMENT;
    *err = why;
    snprintf(err->message, sizeof err->message, "transcript: %.*s",
             (int)(sizeof err->message - sizeof "transcript: "), why.message);
    return status;
}

enum vp_status words_assign(struct words *words, const struct vp_diarization_result *result,
                            struct vp_err *err)
{
    ON_WORKER();
    vp_transcript *transcript = words->transcript;
    if (transcript == NULL || words->written != NULL)
        return VP_OK;
    enum vp_status status =
        vp_transcript_assign(transcript, result->segments, result->n_segments, err);
    if (status == VP_OK)
        status = vp_transcript_write(transcript, &words->written, &words->n_written, err);
    if (status == VP_OK)
        status = vp_transcript_text(transcript, &words->text, &words->n_text, err);
    return status;
}

struct json_build words_json(const struct words *words)
{
    ON_WORKER();
    const enum vp_transcript_form form = vp_transcript_form_of(words->transcript);
    struct json_build object = json_begin_object();
    json_put_text(&object, "form", vp_transcript_form_name(form));
    json_put(&object, "content", json_stringn_nocheck(words->written, words->n_written));
    json_put(&object, "text", json_stringn_nocheck(words->text, words->n_text));
    return object;
}

void words_close(struct words *words)
{
    vp_transcript_free(words->transcript);
    free(words->written);
    free(words->text);
    *words = (struct words){.bytes = NULL};
}
