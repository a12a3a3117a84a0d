/*
 * What the tests of damaged files have in common: files taken apart and put together otherwise, and
 * the three answers that there are, the same samples, some less, a refusal.
 */
#ifndef VP_DAMAGING_H
#define VP_DAMAGING_H

#include "unit.h"

#include "decoding.h"

#define MISMATCH VP_WARN_LENGTH_MISMATCH
#define DAMAGED  VP_WARN_DAMAGED

/* The n lowest bytes of value, the lowest first, or the highest. */
void put_little(unsigned char *at, uint64_t value, size_t n);
void put_big(unsigned char *at, uint64_t value, size_t n);

/* before, then file, then after. Frees file. */
struct audio_file wrap(const void *before, size_t n_before, struct audio_file file,
                       const void *after, size_t n_after);
/* Removes n bytes at `at`. */
void cut_out(struct audio_file *file, size_t at, size_t n);
/* Where these four letters first stand; fails the test where they do not. */
size_t find_id(const struct audio_file *file, const char *id);

/* Decodes the file as it should be, for expect_same. Does not free it. */
void remember(struct audio_file file);
extern size_t n_good; /* samples of the file that was remembered */

/* The samples that were remembered, to the bit, and these warnings about lengths and damage. Frees
 * file. */
void expect_same(const char *what, struct audio_file file, unsigned warnings);
/* Answered with n_samples or some ten less, and these warnings. Frees file. */
void expect_samples(const char *what, struct audio_file file, size_t n_samples, unsigned warnings);
/* Refused, unless damage is accepted: then answered with these warnings. Frees file. */
void expect_refused(const char *what, struct audio_file file, unsigned warnings);

#endif
