/* The net's probabilities go straight into decisions, some hundred frames at a time. */
#include "speech/detector.h"

#include <stdlib.h>

#include "speech/speech.h"
#include "speech/vad.h"

#define BLOCK_FRAMES 256u

struct detector {
    struct vad *vad;
    float probabilities[BLOCK_FRAMES + 1]; /* of a block, or what the net owes at the end */
};

_Static_assert(VAD_DELAY_FRAMES < BLOCK_FRAMES, "the end fits as well");

enum vp_status detector_new(enum vp_kernel kernel, struct detector **out, struct vp_err *err)
{
    *out = NULL;
    struct detector *detector = calloc(1, sizeof *detector);
    if (detector == NULL)
        return status_no_memory(err, "the speech detector", sizeof *detector);
    const enum vp_status status = vad_new(NULL, 0, kernel, &detector->vad, err);
    if (status == VP_OK)
        *out = detector;
    else
        detector_free(detector);
    return status;
}

void detector_free(struct detector *detector)
{
    if (detector != NULL)
        vad_free(detector->vad);
    free(detector);
}

size_t detector_bytes(const struct detector *detector)
{
    return sizeof *detector + vad_bytes(detector->vad);
}

size_t detector_listen(struct detector *detector, const float *features, size_t n_frames,
                       unsigned char *speech)
{
    float *probabilities = detector->probabilities;
    struct speech_settings settings = speech_default;
    if (settings.min_on_frames > n_frames)
        settings.min_on_frames = n_frames; /* a clip that short may be speech as a whole */
    struct speech decisions;
    speech_start(&decisions, &settings);
    size_t n_decided = 0;
    for (size_t t = 0; t < n_frames; t += BLOCK_FRAMES) {
        const size_t n_block = n_frames - t < BLOCK_FRAMES ? n_frames - t : BLOCK_FRAMES;
        const size_t n = vad_push(detector->vad, features + t * VAD_N_MELS, n_block, probabilities);
        n_decided += speech_push(&decisions, probabilities, n, speech + n_decided);
    }
    const size_t n = vad_flush(detector->vad, probabilities);
    n_decided += speech_push(&decisions, probabilities, n, speech + n_decided);
    speech_finish(&decisions, speech + n_decided);
    size_t n_speech = 0;
    for (size_t t = 0; t < n_frames; t++)
        n_speech += speech[t];
    return n_speech;
}
