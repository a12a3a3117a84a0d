/* Every number is counted from the turns that are published. */
#include "diarize/answer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"

#define SHORT_S 5.0

void answer_clear(struct answer *answer)
{
    turns_clear(&answer->turns);
    turns_clear(&answer->exclusive);
    free(answer->speakers);
    free(answer->embeddings);
    *answer = (struct answer){0};
}

static enum vp_status sum_up(struct answer *answer, const struct answer_voice *voices,
                             const size_t *voice_of, size_t dim, struct vp_err *err)
{
    const size_t n = answer->result.n_speakers;
    if (n == 0)
        return VP_OK;
    answer->speakers = calloc(n, sizeof *answer->speakers);
    answer->embeddings = calloc(n * dim, sizeof *answer->embeddings);
    if (answer->speakers == NULL || answer->embeddings == NULL)
        return status_no_memory(err, "the speakers", n * dim * sizeof *answer->embeddings);
    double total_s = 0.0;
    for (size_t i = 0; i < answer->turns.n; i++) {
        const struct vp_turn *turn = &answer->turns.list[i];
        answer->speakers[turn->speaker].speech_s += turn->end_s - turn->start_s;
        answer->speakers[turn->speaker].n_segments++;
        total_s += turn->end_s - turn->start_s;
    }
    for (size_t s = 0; s < n; s++) {
        const struct answer_voice *voice = &voices[voice_of[s]];
        struct vp_diarized_speaker *speaker = &answer->speakers[s];
        speaker->share = speaker->speech_s / total_s;
        /* Pieces that are alike to the last bit: rounding must not publish a cosine above 1. */
        speaker->coherence = fmin(voice->coherence, 1.0);
        speaker->channel = voice->channel;
        memcpy(answer->embeddings + s * dim, voice->embedding, dim * sizeof(float));
        speaker->embedding = answer->embeddings + s * dim;
    }
    return VP_OK;
}

static unsigned remarks(const struct answer *answer, const struct vp_diarize_options *options)
{
    const struct vp_diarization_result *result = &answer->result;
    const unsigned least =
        options->num_speakers > 0 ? options->num_speakers : options->min_speakers;
    const unsigned most =
        options->max_speakers > 0 ? options->max_speakers : VP_DIARIZE_MAX_SPEAKERS;
    unsigned warnings = 0;
    if (result->n_segments == 0)
        warnings |= VP_DIARIZE_WARN_NO_SPEECH;
    else if (result->n_speakers < least)
        warnings |= VP_DIARIZE_WARN_FEWER_SPEAKERS;
    if (result->duration_s < SHORT_S)
        warnings |= VP_DIARIZE_WARN_SHORT_AUDIO;
    if (options->num_speakers == 0 && most > 1 && result->n_speakers >= most)
        warnings |= VP_DIARIZE_WARN_MANY_SPEAKERS;
    if (!answer->tells_overlap)
        warnings |= VP_DIARIZE_WARN_NO_OVERLAP;
    return warnings;
}

enum vp_status answer_make(struct answer *answer, const struct vp_diarize_options *options,
                           struct turns *turns, const struct answer_voice *voices, size_t n_voices,
                           size_t dim, struct vp_err *err)
{
    struct vp_diarization_result *result = &answer->result;
    size_t voice_of[TURNS_MAX_SPEAKERS];
    answer->turns = *turns;
    *turns = (struct turns){0};
    turns_clean(&answer->turns, options->min_on_s, options->min_off_s);
    result->n_speakers = turns_renumber(&answer->turns, n_voices, voice_of);
    enum vp_status status = turns_exclusive(&answer->turns, &answer->exclusive, err);
    if (status == VP_OK)
        status = sum_up(answer, voices, voice_of, dim, err);
    if (status != VP_OK)
        return status;
    turns_time(&answer->turns, &result->speech_s, &result->overlap_s);
    result->duration_s = result->clip.duration_s;
    result->clip.speech_s = result->speech_s;
    result->num_speakers_given =
        options->num_speakers > 0 && result->n_speakers == options->num_speakers;
    result->segments = answer->turns.list;
    result->n_segments = answer->turns.n;
    result->exclusive = answer->exclusive.list;
    result->n_exclusive = answer->exclusive.n;
    result->speakers = answer->speakers;
    result->warnings = remarks(answer, options);
    return VP_OK;
}
