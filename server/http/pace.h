/* How fast bytes come, over a stretch of time that is renewed. Pure; no thread rule. */
#ifndef VP_PACE_H
#define VP_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct pace {
    uint64_t since_ns, since_bytes; /* the stretch at hand */
    bool is_known;                  /* one stretch is over */
    double bytes_per_s;             /* of the last whole one */
};

/* n_bytes had come in all at now_ns. */
static inline struct pace pace_begin(uint64_t now_ns, uint64_t n_bytes)
{
    return (struct pace){.since_ns = now_ns, .since_bytes = n_bytes};
}

static inline void pace_note(struct pace *pace, double stretch_s, uint64_t now_ns, uint64_t n_bytes)
{
    const double seconds = 1e-9 * (double)(now_ns - pace->since_ns);
    if (seconds < stretch_s)
        return;
    pace->bytes_per_s = (double)(n_bytes - pace->since_bytes) / seconds;
    pace->is_known = true;
    pace->since_ns = now_ns;
    pace->since_bytes = n_bytes;
}

#endif
