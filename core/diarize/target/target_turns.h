/*
 * Probabilities of each voice, part by part of 20 ms -> raw turns. Pure; any thread.
 *
 * A voice begins to speak where its probability reaches 0.7 and ends where it falls below 0.3.
 * Only segments of speech and a margin around them count: the speech detector tells noise from
 * speech, the probabilities tell more exactly where a voice begins and ends.
 */
#ifndef VP_TARGET_TURNS_H
#define VP_TARGET_TURNS_H

#include "diarize/turns.h"
#include "speech/segments.h"

#define TARGET_TURNS_MARGIN_S 0.3 /* around a segment that was detected */

struct target_activity {
    size_t n_parts, n_voices;
    const float *probabilities;      /* borrowed, [n_parts, n_voices] */
    const struct segments *segments; /* borrowed */
    bool exact;        /* the segments are given, not detected: no margin, and all through them
                          somebody speaks */
    double duration_s; /* of the recording */
};

/* Raw turns to *out, by time within a voice; confidence is the mean probability, -1 with one voice.
 * A voice that is never sure enough has none. VP_ERR_NO_MEMORY. */
enum vp_status target_turns_find(const struct target_activity *activity, struct turns *out,
                                 struct vp_err *err) VP_MUST_CHECK;

#endif
