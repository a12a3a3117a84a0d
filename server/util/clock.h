/* Monotonic time: the clock of all deadlines and durations. Only the stamps of log lines are taken
 * from the time of day. */
#ifndef VP_CLOCK_H
#define VP_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_now_ns(void) /* [any] */
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static inline uint64_t clock_from_seconds(double seconds) /* [any] seconds >= 0 -> ns */
{
    return (uint64_t)(seconds * 1e9);
}

static inline double clock_ms_since(uint64_t start_ns, uint64_t end_ns) /* [any] */
{
    return end_ns > start_ns ? (double)(end_ns - start_ns) * 1e-6 : 0.0;
}

#endif
