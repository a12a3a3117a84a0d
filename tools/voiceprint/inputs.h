/* The recordings that a command line names: files, folders, a list. */
#ifndef INPUTS_H
#define INPUTS_H

#include <stdbool.h>
#include <stddef.h>

struct inputs {
    char **paths; /* owned, each owned */
    size_t n, capacity;
};

/* Adds a file as it is; of a folder, every recording below it, by name in order. A complaint and
 * false when a folder cannot be read or holds none. */
bool inputs_add(struct inputs *inputs, const char *path);
/* Adds the paths of a list, one a line, or Kaldi's wav.scp, with a name before each path; "-" is
 * stdin. */
bool inputs_add_list(struct inputs *inputs, const char *list_path);
void inputs_free(struct inputs *inputs);

#endif
