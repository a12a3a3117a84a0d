/*
 * What the tests of audio_decode have in common: limits (0.5 to 10 s, -60 dBFS), a buffer for them,
 * and a decode that holds every answer against what all answers must be.
 */
#ifndef VP_DECODING_H
#define VP_DECODING_H

#include "audio/audio.h"
#include "audio_file.h"

struct decoding {
    struct vp_limits limits;
    struct vp_clip_options options;
    struct audio_buffer buffer;
    struct vp_clip_info info;
    struct vp_err err;
};

/* Of the test that runs; a test that changes the limits puts them back. */
extern struct decoding decoded;

int decoding_set_up(void **state);    /* for cmocka_run_group_tests */
int decoding_tear_down(void **state); /* likewise */

/* Decodes an exact copy of the bytes into `decoded`. Fails the test when a refusal leaves samples
 * or says nothing, or when what was decoded is not finite and within the limits. */
enum vp_status decoding_of(const void *bytes, size_t n);
/* decoding_of, which must end with `expected`; frees file. */
void decoding_expect(struct audio_file file, enum vp_status expected);

#endif
