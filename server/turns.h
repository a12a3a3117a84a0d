/*
 * How long the loop works in one turn, from one sleep to the next. While it works nobody else is
 * served, so no turn may be long, whatever a client sends. Counted in CPU time of its thread: what
 * the machine gives to others meanwhile says nothing about us.
 */
#ifndef VP_TURNS_H
#define VP_TURNS_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct metrics;

struct turns {
    uv_prepare_t prepare;    /* called before each sleep */
    struct metrics *metrics; /* borrowed */
    uint64_t last_ns;        /* CPU time of the thread when the turn began */
};

/* Counts from now on, until loop closes the handle. [start] */
bool turns_open(struct turns *turns, uv_loop_t *loop, struct metrics *metrics);

#endif
