/*
 * Recordings made at test time: a buzz that passes for speech, written by libsndfile in whatever
 * format, and bytes to be mutilated afterwards.
 */
#ifndef VP_AUDIO_FILE_H
#define VP_AUDIO_FILE_H

#include <stddef.h>

struct audio_file {
    unsigned char *bytes; /* owned */
    size_t n;
};

/* Two vowels a second with pauses between, pseudo-random, amplitude below 0.5: samples [n]. */
void audio_file_buzz(float *samples, size_t n, double rate_hz);
/* Two such voices at 16 kHz in turn, 1.5 s each, with 0.2 s of both between: samples [n]. The
 * second is what audio_file_buzz gives at 10 kHz. */
void audio_file_talk(float *samples, size_t n);

/* samples [n, channels] in a format of sndfile.h (SF_FORMAT_WAV | SF_FORMAT_PCM_16, ...). Aborts
 * the test when libsndfile will not. Returns owned bytes (audio_file_free). */
struct audio_file audio_file_write(int sf_format, int rate_hz, int channels, const float *samples,
                                   size_t n);
/* seconds of audio_file_buzz, the same in each channel. */
struct audio_file audio_file_of_buzz(int sf_format, int rate_hz, int channels, double seconds);
/* An exact copy of n bytes, so that AddressSanitizer sees the end. */
struct audio_file audio_file_copy(const void *bytes, size_t n);
void audio_file_free(struct audio_file *file); /* the bytes, not the struct */

#endif
