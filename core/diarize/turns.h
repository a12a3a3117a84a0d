/*
 * Turns of speakers: cleaning, order, the exclusive variant. One owner at a time.
 */
#ifndef VP_TURNS_H
#define VP_TURNS_H

#include "diarization.h"

/* Of all channels of a recording, each heard by itself. */
#define TURNS_MAX_SPEAKERS (VP_DIARIZE_MAX_SPEAKERS * VP_MAX_CHANNELS)

struct turns {
    struct vp_turn *list; /* owned, [n] */
    size_t n, capacity;
};

/* Starts as zeroes. VP_ERR_NO_MEMORY. */
enum vp_status turns_add(struct turns *turns, const struct vp_turn *turn,
                         struct vp_err *err) VP_MUST_CHECK;
void turns_clear(struct turns *turns); /* frees what is inside, not the struct */

/*
 * Raw turns -> what is published: pauses of one speaker below min_off_s are filled unless somebody
 * else speaks in them; what is then shorter than min_on_s goes to the speaker whose turn touches
 * it, or is dropped; whole milliseconds; sorted by start, then speaker. Confidence is the mean
 * over time.
 */
void turns_clean(struct turns *turns, double min_on_s, double min_off_s);

/* Speakers 0, 1, 2, ... in order of first speech; those without turns are gone. Turns must be
 * sorted. old_of [n_speakers]: what each new number was. Returns how many there are. */
size_t turns_renumber(struct turns *turns, size_t n_speakers, size_t *old_of);

/* Of sorted turns: each instant to the one speaker who has held it longest. VP_ERR_NO_MEMORY. */
enum vp_status turns_exclusive(const struct turns *turns, struct turns *out,
                               struct vp_err *err) VP_MUST_CHECK;

/* Time in which anybody speaks, and in which two or more do, of sorted turns. */
void turns_time(const struct turns *turns, double *speech_s, double *overlap_s);

#endif
