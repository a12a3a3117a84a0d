/*
 * Probabilities of speech -> which frames are speech: hysteresis, then the lengths that make sense.
 *
 * Speech begins where the probability reaches `on` and ends where it falls below `off`. What lasts
 * less than min_on_frames is dropped, the rest grows by pad_frames at either end, and pauses that
 * are then shorter than min_off_frames are filled.
 *
 * A stream: the decision for a frame is given as soon as nothing can change it any more, in order,
 * and does not depend on the pieces. One owner at a time; plain data, nothing to free.
 */
#ifndef VP_SPEECH_H
#define VP_SPEECH_H

#include <stdbool.h>
#include <stddef.h>

struct speech_settings {
    float on, off; /* 0 < off <= on < 1 */
    size_t min_on_frames, min_off_frames, pad_frames;
};

/* Chosen for the net in the box; models/README.md says on what. */
extern const struct speech_settings speech_default;

struct speech {
    struct speech_settings settings;
    size_t n_frames;  /* taken in */
    size_t n_decided; /* given out */
    size_t run_start; /* first frame of the run of high probability that lasts, if in_run */
    size_t last_end;  /* one past the last frame of the last run that counted, if any_speech */
    bool in_run, any_speech;
};

/* settings is copied. */
void speech_start(struct speech *speech, const struct speech_settings *settings);

/* Frames that may wait for their decision, at most. */
size_t speech_delay(const struct speech_settings *settings);

/* The next n probabilities. Writes the decisions that are final by now, in order from the first
 * frame on, 1 for speech and 0 for none, and returns how many: at most n + speech_delay. */
size_t speech_push(struct speech *speech, const float *probabilities, size_t n,
                   unsigned char *decided);

/* The end: the decisions still open, at most speech_delay; returns how many. */
size_t speech_finish(struct speech *speech, unsigned char *decided);

#endif
