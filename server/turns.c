/* The length of each turn of the loop. */
#include "turns.h"

#include "http/metrics.h"

#include <time.h>

static uint64_t cpu_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct turns *turns = prepare->data;
    uint64_t now_ns = cpu_now_ns();
    metrics_add_turn(turns->metrics, 1e-9 * (double)(now_ns - turns->last_ns));
    turns->last_ns = now_ns;
}

bool turns_open(struct turns *turns, uv_loop_t *loop, struct metrics *metrics)
{
    turns->metrics = metrics;
    turns->last_ns = cpu_now_ns();
    turns->prepare.data = turns;
    return uv_prepare_init(loop, &turns->prepare) == 0 &&
           uv_prepare_start(&turns->prepare, on_prepare) == 0;
}
