/* Names that strangers choose and that go into paths, files and lines: plain characters only. */
#ifndef VP_NAME_H
#define VP_NAME_H

#include <stdbool.h>
#include <stddef.h>

enum { COLLECTION_ROOM = 65 }; /* of a collection's name, with its end */

/* 1 to room - 1 of A-Z a-z 0-9 . _ -. [any] */
bool name_is_plain(const char *name, size_t room);
/* The same, the first no dot, so that no path is shortened by it. [any] */
bool name_is_good(const char *name, size_t room);

#endif
