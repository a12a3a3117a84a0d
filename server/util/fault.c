/* Fault injection, compiled in only by builds made for it (-DVP_FAULTS). */
#include "util/fault.h"

#if defined(VP_FAULTS)
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static const char *const places[N_FAULT_PLACES] = {"upload", "job",    "json",
                                                   "reply",  "decode", "inference"};
static unsigned every[N_FAULT_PLACES]; /* 0: never; written before any thread starts */
static atomic_uint counters[N_FAULT_PLACES];

void fault_init(void)
{
    const char *plan = getenv("VOICEPRINT_FAULTS");
    for (size_t i = 0; plan != NULL && i < N_FAULT_PLACES; i++) {
        const char *found = strstr(plan, places[i]);
        if (found != NULL && found[strlen(places[i])] == ':')
            every[i] = (unsigned)strtoul(found + strlen(places[i]) + 1, NULL, 10);
    }
}

bool fault_hits(enum fault_place place)
{
    if (every[place] == 0)
        return false;
    /* relaxed: only the count matters, not what else is visible */
    unsigned n = atomic_fetch_add_explicit(&counters[place], 1, memory_order_relaxed) + 1;
    return n % every[place] == 0;
}
#else
typedef int fault_c_is_not_empty; /* ISO C wants a declaration in every file */
#endif
