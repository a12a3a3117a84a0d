/* Threads that work on one thing together. */
#include "base/team.h"

#include <sched.h>

#define SPINS 2000u /* about 50 us; then others may have the core */

static void wait_a_little(unsigned *n_spins)
{
    if (++*n_spins % SPINS == 0)
        sched_yield();
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/* Takes and does one part, if one is left. What the owner wrote before it stored `left` is seen
 * here, even when a helper slept through a step: a part is only ever taken of the step at hand. */
static bool do_part(struct team *team, size_t seat)
{
    size_t left = atomic_load_explicit(&team->left, memory_order_relaxed);
    do {
        if (left == 0)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&team->left, &left, left - 1,
                                                    memory_order_acquire, memory_order_relaxed));
    team->part(team->ctx, left - 1, seat);
    atomic_fetch_add_explicit(&team->n_done, 1, memory_order_release);
    return true;
}

void team_init(struct team *team, size_t n_seats)
{
    team->n_seats = n_seats;
    team->part = NULL;
    team->ctx = NULL;
    atomic_init(&team->seats, 0);
    atomic_init(&team->open, false);
    atomic_init(&team->left, 0);
    atomic_init(&team->n_done, 0);
}

void team_open(struct team *team)
{
    atomic_store_explicit(&team->open, true, memory_order_release);
}

void team_close(struct team *team)
{
    atomic_store_explicit(&team->open, false, memory_order_release);
}

void team_run(struct team *team, size_t n_parts, team_part part, void *ctx)
{
    team->part = part;
    team->ctx = ctx;
    atomic_store_explicit(&team->n_done, 0, memory_order_relaxed);
    atomic_store_explicit(&team->left, n_parts, memory_order_release);
    while (do_part(team, 0))
        ;
    for (unsigned n_spins = 0; atomic_load_explicit(&team->n_done, memory_order_acquire) < n_parts;)
        wait_a_little(&n_spins);
}

/* A free seat, or 0. */
static size_t take_seat(struct team *team)
{
    for (size_t seat = 1; seat < team->n_seats; seat++) {
        const unsigned bit = 1u << seat;
        if ((atomic_fetch_or_explicit(&team->seats, bit, memory_order_acquire) & bit) == 0)
            return seat;
    }
    return 0;
}

void team_help(struct team *team, bool (*leave)(void *ctx), void *ctx)
{
    const size_t seat = take_seat(team);
    if (seat == 0)
        return;
    for (unsigned n_spins = 0;
         atomic_load_explicit(&team->open, memory_order_acquire) && (leave == NULL || !leave(ctx));)
        if (!do_part(team, seat))
            wait_a_little(&n_spins);
    atomic_fetch_and_explicit(&team->seats, ~(1u << seat), memory_order_release);
}
