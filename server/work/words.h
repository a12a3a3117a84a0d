/*
 * A transcript that came with a conversation: read in its first slice, given back with speakers in
 * its last. What the answer needs is made here, on the worker, for the loop has no time for it.
 */
#ifndef VP_WORDS_H
#define VP_WORDS_H

#include "http/json_build.h"
#include "transcript.h"

struct words {
    const void *bytes; /* borrowed from the job's body; NULL: none came */
    size_t n_bytes;
    vp_transcript *transcript; /* owned; NULL until the first slice */
    bool is_refused;           /* the error is the transcript's */
    char *written, *text;      /* owned: in its own form, as text; NULL before the last slice */
    size_t n_written, n_text;
};

/* Reads what came; nothing where none did. VP_ERR_ARGUMENT names line or member. [worker] */
enum vp_status words_read(struct words *words, struct vp_err *err) VP_MUST_CHECK;
/* Gives the speakers of a result that is done. [worker] */
enum vp_status words_assign(struct words *words, const struct vp_diarization_result *result,
                            struct vp_err *err) VP_MUST_CHECK;
/* {form, content, text}: the member of the answer. [worker] */
struct json_build words_json(const struct words *words);
void words_close(struct words *words); /* [loop] legal on a zeroed one */

#endif
