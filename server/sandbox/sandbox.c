/* A zygote and counters. */
#include "sandbox/sandbox.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

struct sandbox {
    struct zygote zygote;
    /* Counted by workers, read by the loop: nothing else hangs on them. */
    atomic_uint_fast64_t ends[N_DECODER_ENDS];
    atomic_uint_fast64_t cpu_ns;
};

struct sandbox *sandbox_new(nursery_serve *serve, struct vp_err *err)
{
    struct sandbox *sandbox = calloc(1, sizeof *sandbox);
    if (sandbox == NULL) {
        *err = (struct vp_err){.status = VP_ERR_NO_MEMORY, .message = "no memory for the sandbox"};
        return NULL;
    }
    if (!zygote_start(&sandbox->zygote, serve, err)) {
        free(sandbox);
        return NULL;
    }
    return sandbox;
}

void sandbox_free(struct sandbox *sandbox)
{
    if (sandbox == NULL)
        return;
    zygote_end(&sandbox->zygote);
    free(sandbox);
}

bool sandbox_is_gone(const struct sandbox *sandbox)
{
    return zygote_is_gone(&sandbox->zygote);
}

const char *sandbox_end_name(enum decoder_end end)
{
    static const char *const names[N_DECODER_ENDS] = {
        [DECODER_CRASHED] = "crashed",   [DECODER_FORBIDDEN] = "forbidden_call",
        [DECODER_TOO_LONG] = "too_long", [DECODER_TOO_MUCH_MEMORY] = "too_much_memory",
        [DECODER_KILLED] = "killed",     [DECODER_CANCELLED] = "cancelled",
    };
    return names[end];
}

uint64_t sandbox_ends(const struct sandbox *sandbox, enum decoder_end end)
{
    return atomic_load_explicit(&sandbox->ends[end], memory_order_relaxed);
}

double sandbox_cpu_s(const struct sandbox *sandbox)
{
    return 1e-9 * (double)atomic_load_explicit(&sandbox->cpu_ns, memory_order_relaxed);
}

const struct zygote *sandbox_zygote(const struct sandbox *sandbox)
{
    return &sandbox->zygote;
}

void sandbox_count_end(struct sandbox *sandbox, enum decoder_end end)
{
    atomic_fetch_add_explicit(&sandbox->ends[end], 1, memory_order_relaxed);
}

/* A decoder tells its own: not less than nothing, and no year at once. */
void sandbox_count_cpu(struct sandbox *sandbox, double seconds)
{
    if (seconds > 0.0 && seconds < 86400.0)
        atomic_fetch_add_explicit(&sandbox->cpu_ns, (uint64_t)(seconds * 1e9),
                                  memory_order_relaxed);
}
