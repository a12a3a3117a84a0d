/* A diarization, slice by slice. */
#include "work/conversation.h"

#include "util/clock.h"
#include "util/fault.h"
#include "util/thread.h"

enum vp_status conversation_box(struct conversation *conversation, struct sandbox *sandbox,
                                struct vp_err *err)
{
    ON_WORKER();
    if (conversation->box != NULL)
        return VP_OK;
    const enum vp_status status =
        box_new(sandbox, conversation->n_bytes, VP_BLOCK_SAMPLES, &conversation->box, err);
    if (status == VP_OK)
        conversation->options.decoder = box_decoder(conversation->box);
    return status;
}

enum vp_status conversation_step(struct conversation *conversation, const struct engine *engine,
                                 vp_scratch *scratch, struct vp_err *err)
{
    ON_WORKER();
    uint64_t start = clock_now_ns();
    enum vp_status status = VP_OK;
    if (fault_hits(FAULT_DECODE)) {
        *err = (struct vp_err){.status = VP_ERR_NO_MEMORY, .message = "out of memory (injected)"};
        return VP_ERR_NO_MEMORY;
    }
    if (conversation->diarization == NULL) {
        status = words_read(&conversation->words, err);
        if (status == VP_OK)
            status = vp_diarization_new(engine->model, engine->segmentation, &conversation->options,
                                        conversation->bytes, conversation->n_bytes,
                                        &conversation->diarization, err);
    }
    if (status == VP_OK)
        status =
            vp_diarization_step(conversation->diarization, scratch, &conversation->progress, err);
    if (status == VP_OK && conversation->progress.done)
        status = words_assign(&conversation->words,
                              vp_diarization_result(conversation->diarization), err);
    conversation->slice_ms = clock_ms_since(start, clock_now_ns());
    conversation->work_ms += conversation->slice_ms;
    conversation->n_slices++;
    return status;
}

void conversation_close(struct conversation *conversation)
{
    vp_diarization_free(conversation->diarization);
    conversation->diarization = NULL;
    box_free(conversation->box);
    conversation->box = NULL;
    words_close(&conversation->words);
}
