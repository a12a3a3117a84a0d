/*
 * Threads that work on one thing together: an owner who splits each step into parts, and helpers
 * who come and go as they please. Whoever is there takes the next part; the owner takes parts too
 * and goes on when all are done. So nothing depends on a helper being there, or on when it came.
 *
 * Helpers spin while they wait: steps follow each other within microseconds.
 */
#ifndef VP_TEAM_H
#define VP_TEAM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#define TEAM_MOST 32u /* owner and helpers */

/* Does one part; seat tells apart those who work at the same time: 0 the owner. */
typedef void (*team_part)(void *ctx, size_t part, size_t seat);

struct team {
    size_t n_seats;    /* owner included */
    atomic_uint seats; /* bit i: seat i is taken by a helper */
    atomic_bool open;  /* there is work, or there will be soon */
    /* The step at hand. Written by the owner while `left` is 0 and all parts are done. */
    team_part part;
    void *ctx;
    atomic_size_t left, n_done;
};

/* Owner. n_seats from 1 to TEAM_MOST. */
void team_init(struct team *team, size_t n_seats);
void team_open(struct team *team);
void team_run(struct team *team, size_t n_parts, team_part part, void *ctx);
void team_close(struct team *team);

/* Helper: takes parts until the team is closed or leave (asked often; may be NULL) says so. Returns
 * at once when the team is closed or has no seat left. */
void team_help(struct team *team, bool (*leave)(void *ctx), void *ctx);

#endif
