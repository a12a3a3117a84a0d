/*
 * The answer: turns cleaned and numbered, speakers summed up, warnings. One owner.
 */
#ifndef VP_ANSWER_H
#define VP_ANSWER_H

#include "diarization.h"
#include "diarize/turns.h"

struct answer {
    struct vp_diarization_result result; /* points into what follows */
    struct turns turns, exclusive;
    struct vp_diarized_speaker *speakers; /* owned */
    float *embeddings;                    /* owned, [n_speakers, dim] */
    bool tells_overlap;                   /* said beforehand: may two speak at once? */
};

/* A speaker as clustering knows it, before it is numbered. */
struct answer_voice {
    const float *embedding; /* borrowed for the call, [dim], norm 1 */
    double coherence;
    unsigned channel; /* in which it was heard, or VP_CHANNEL_MIX */
};

/*
 * Fills *answer, which starts as zeroes and gets clip, engine and threshold in result, and
 * tells_overlap, beforehand. Takes the raw turns (leaving *turns empty); voices [n_voices], up to
 * TURNS_MAX_SPEAKERS, are what turn.speaker counts. VP_ERR_NO_MEMORY.
 */
enum vp_status answer_make(struct answer *answer, const struct vp_diarize_options *options,
                           struct turns *turns, const struct answer_voice *voices, size_t n_voices,
                           size_t dim, struct vp_err *err) VP_MUST_CHECK;
void answer_clear(struct answer *answer); /* frees what is inside, not the struct */

#endif
