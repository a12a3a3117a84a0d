/* A progress bar on stderr, when that is a terminal and stdout is not: results that scroll by are
 * progress enough. */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

struct progress {
    bool shown;
    size_t n_total;
    double start_s, drawn_s; /* monotonic */
};

void progress_start(struct progress *progress, size_t n_total);
void progress_show(struct progress *progress, size_t n_done, size_t n_failed);
void progress_end(struct progress *progress); /* wipes the bar */

#endif
