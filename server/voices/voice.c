/* Known voices, counted. */
#include "voices/voice.h"

#include <stdlib.h>
#include <string.h>

struct voice *voice_new(const char *id, size_t n_clips)
{
    struct voice *voice = calloc(1, sizeof *voice + strlen(id) + 1);
    if (voice == NULL)
        return NULL;
    atomic_init(&voice->n_references, 1);
    strcpy(voice->id, id);
    voice->n_clips = n_clips;
    voice->clips = calloc(n_clips + 1, sizeof *voice->clips); /* never NULL for none */
    if (voice->clips != NULL)
        return voice;
    voice_release(voice);
    return NULL;
}

struct voice *voice_hold(struct voice *voice)
{
    atomic_fetch_add_explicit(&voice->n_references, 1, memory_order_relaxed);
    return voice;
}

void voice_release(struct voice *voice)
{
    if (voice == NULL ||
        atomic_fetch_sub_explicit(&voice->n_references, 1, memory_order_acq_rel) != 1)
        return;
    free(voice->clips);
    free(voice->metadata);
    free(voice);
}
