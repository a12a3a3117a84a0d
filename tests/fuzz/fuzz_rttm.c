/*
 * Any bytes as RTTM and as UEM, scored against themselves: refused with a sentence, or turns that
 * last, sorted and named, of which every second is right. libFuzzer's main; `make fuzz` runs it.
 */
#include "der.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

static void check(const struct vp_rttm_recording *turns)
{
    for (size_t i = 0; i < turns->n_turns; i++) {
        const struct vp_rttm_turn turn = turns->turns[i];
        if (!(turn.end_s > turn.start_s) || turn.speaker >= turns->n_speakers)
            abort();
    }
    for (size_t i = 1; i < turns->n_speakers; i++)
        if (strcmp(turns->speakers[i - 1], turns->speakers[i]) >= 0)
            abort();
}

static void score(const struct vp_rttm_recording *reference,
                  const struct vp_rttm_recording *hypothesis, double rate)
{
    const struct vp_der_options options = {0, false};
    struct vp_der der;
    if (vp_der_score(reference, hypothesis, NULL, &options, &der, NULL) != VP_OK)
        return;
    if (!(fabs(vp_der_rate(&der) - rate) < 1e-6))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct vp_rttm rttm, uem;
    struct vp_err err = {0};
    if (vp_rttm_read(bytes, n_bytes, &rttm, &err) != VP_OK && err.message[0] == 0)
        abort();
    for (size_t i = 0; i < rttm.n_recordings; i++) {
        check(&rttm.recordings[i]);
        if (vp_rttm_find(&rttm, rttm.recordings[i].name) != &rttm.recordings[i])
            abort();
        score(&rttm.recordings[i], NULL, 1);
        score(NULL, &rttm.recordings[i], 1);
        score(&rttm.recordings[i], &rttm.recordings[i], 0);
    }
    if (vp_uem_read(bytes, n_bytes, &uem, &err) != VP_OK && err.message[0] == 0)
        abort();
    for (size_t i = 0; i < uem.n_recordings; i++)
        check(&uem.recordings[i]);
    vp_rttm_free(&rttm);
    vp_rttm_free(&uem);
    return 0;
}
