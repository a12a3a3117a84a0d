/*
 * What outputs call a recording. File names are bytes of any kind; JSON holds UTF-8, and a field of
 * RTTM no blanks. What cannot stand is written as %XX, and so is a % that could be taken for one of
 * these: two names stay two, and each can be read back.
 */
#ifndef NAMES_H
#define NAMES_H

#include <jansson.h>

#include "inputs.h"

#define NAME_CHARS 1024u /* more than any file name takes */

/* The path as a JSON string; a new reference. */
json_t *name_json(const char *path);

/* What RTTM, and files in --out and --png, call the recording at path: its base name without the
 * ending; "stdin" for "-". To name [NAME_CHARS]. */
void name_of(const char *path, char *name);

/* Do two inputs have one name_of? Then they go to a and b. Without memory: false, as for none. */
bool names_collide(const struct inputs *inputs, const char **a, const char **b);

#endif
