/*
 * A recording of several voices on its way through the workers: what the request asked, and how
 * far it is. It goes in slices of about 40 ms, each on whichever worker is free; between two of
 * them it belongs to the loop.
 */
#ifndef VP_CONVERSATION_H
#define VP_CONVERSATION_H

#include "sandbox/box.h"
#include "work/engine.h"
#include "work/words.h"

#include <stdint.h>

struct conversation {
    struct vp_diarize_options options;
    const void *bytes; /* borrowed from the job's body */
    size_t n_bytes;
    struct box *box;             /* owned: where it is decoded; NULL: here */
    struct words words;          /* of a transcript beside the recording */
    bool type_guessed;           /* the client's content type did not say audio */
    vp_diarization *diarization; /* owned; NULL until the first slice */
    struct vp_diarize_progress progress;
    size_t n_slices;
    double slice_ms, work_ms; /* the last slice, all of them */
};

/* Has it decoded in a box of its own; only the first call does anything. VP_ERR_NO_MEMORY. [worker]
 */
enum vp_status conversation_box(struct conversation *conversation, struct sandbox *sandbox,
                                struct vp_err *err) VP_MUST_CHECK;
/* One slice on scratch, of the same engine. An error is final. [worker] */
enum vp_status conversation_step(struct conversation *conversation, const struct engine *engine,
                                 vp_scratch *scratch, struct vp_err *err) VP_MUST_CHECK;
void conversation_close(struct conversation *conversation); /* [loop] legal on a zeroed one */

#endif
