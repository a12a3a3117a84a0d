/*
 * The second pass at work with the model and the net in the box, as its tests use it: a recording,
 * segments of speech, the directions of its voices.
 */
#ifndef VP_TRACKED_H
#define VP_TRACKED_H

#include "audio_file.h"
#include "diarize/target/target_pass.h"
#include "diarize/target/target_turns.h"
#include "voice/scratch.h"

#define TRACKED_MOST_TRUNK 300u
#define TRACKED_MOST       (TRACKED_MOST_TRUNK * 8 * 160 + 400) /* samples */
#define TRACKED_N_VOICES   3u

struct tracked {
    vp_model *model;
    vp_scratch *scratches[2];
    struct tsvad *tsvad;
    float *directions; /* [TRACKED_N_VOICES, dim], norm 1 */
    float samples[TRACKED_MOST];
    struct segments segments; /* of speech; the test's, until tracked_forget_speech */
    struct vp_err err;
};

/* Of the test that runs. */
extern struct tracked tracked;

int tracked_set_up(void **state);        /* for cmocka_run_group_tests */
int tracked_tear_down(void **state);     /* likewise */
int tracked_forget_speech(void **state); /* after each test */

/* Samples of a recording of n_frames, and some that make no further frame. */
size_t tracked_samples_of(size_t n_frames);
/* The first n samples as a file of floats. Owned (audio_file_free). */
struct audio_file tracked_wav(size_t n);
/* Adds frames first .. end - 1 to the segments. */
void tracked_speech(size_t first, size_t end);
/* Zeroes, owned (free). */
float *tracked_floats(size_t n);

/* Tracks file, which the first pass found to have n_frames. *out is owned (free), [*n_parts,
 * n_voices], NULL after an error. */
enum vp_status tracked_run(const struct audio_file *file, size_t n_frames, size_t n_voices,
                           double max_duration_s, float **out, size_t *n_parts);
/* The same without an error; frees file. */
float *tracked_well(struct audio_file file, size_t n_frames, size_t n_voices);

#endif
