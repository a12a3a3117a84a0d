/* [#######.....] 120/274  3 failed  41/s  4 s left */
#include "progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define WIDTH   30u
#define EVERY_S 0.1 /* often enough to move, seldom enough to cost nothing */

static double now_s(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

void progress_start(struct progress *progress, size_t n_total)
{
    *progress = (struct progress){
        .shown = n_total > 1 && isatty(STDERR_FILENO) && !isatty(STDOUT_FILENO),
        .n_total = n_total,
        .start_s = now_s(),
    };
}

void progress_show(struct progress *progress, size_t n_done, size_t n_failed)
{
    const double now = now_s();
    if (!progress->shown || (now - progress->drawn_s < EVERY_S && n_done < progress->n_total))
        return;
    progress->drawn_s = now;
    const double per_s = (double)n_done / (now - progress->start_s + 1e-9);
    const double left_s = per_s > 0.0 ? (double)(progress->n_total - n_done) / per_s : 0.0;
    char bar[WIDTH + 1];
    for (size_t i = 0; i < WIDTH; i++)
        bar[i] = i * progress->n_total < n_done * WIDTH ? '#' : '.';
    bar[WIDTH] = '\0';
    fprintf(stderr, "\r\033[K[%s] %zu/%zu  %zu failed  %.0f/s  %.0f s left", bar, n_done,
            progress->n_total, n_failed, per_s, left_s);
    fflush(stderr);
}

void progress_end(struct progress *progress)
{
    if (progress->shown)
        fputs("\r\033[K", stderr);
    progress->shown = false;
}
