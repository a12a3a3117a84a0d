/*
 * What taggers, pipes and disks leave around a recording: ID3v2, APE and ID3v1 tags, lyrics, runs
 * of zeros, line ends. None of it is audio, all of it is skipped. Pure functions of the bytes; any
 * thread.
 */
#ifndef VP_TAGS_H
#define VP_TAGS_H

#include "base/bytes.h"

/* Length of the one tag or run of zeros that begins at `at`; 0: none does. A tag may promise more
 * than there is: the length is as stated. */
size_t tags_length(struct bytes file, size_t at);

/* file without the tags and zeros in front of it, as many as there are. *cut: the last of them
 * promises more than there is, and nothing is left. */
struct bytes tags_skip_front(struct bytes file, bool *cut);

/* stream without the tags, zeros and blanks behind it. */
struct bytes tags_cut_back(struct bytes stream);

#endif
