/* Items worked on by several threads, their results handed over in order. */
#ifndef POOL_H
#define POOL_H

#include <stdbool.h>
#include <stddef.h>

struct pool_calls {
    /* On a worker thread: the result of item i, owned by whoever gets it; never NULL. */
    void *(*work)(void *ctx, unsigned worker, size_t i);
    /* On the calling thread, for i = 0, 1, 2, ...: takes the result. False: stop. */
    bool (*take)(void *ctx, size_t i, void *result);
};

/* Runs n_items on n_workers threads. False when a thread cannot be started, or take said stop;
 * results that were not taken are handed to free(). */
bool pool_run(const struct pool_calls *calls, void *ctx, size_t n_items, unsigned n_workers);

#endif
