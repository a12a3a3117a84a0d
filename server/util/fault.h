/*
 * A seam for fault injection: the places where an allocation or a write may fail ask fault_hits
 * first. It answers false at the cost of one comparison unless a test set the process up with
 * VOICEPRINT_FAULTS=upload:7,job:5 (every 7th upload allocation fails, every 5th job's, ...),
 * which only builds made with -DVP_FAULTS (the asan flavour) read.
 */
#ifndef VP_FAULT_H
#define VP_FAULT_H

#include <stdbool.h>

enum fault_place {
    FAULT_UPLOAD = 0,
    FAULT_JOB,
    FAULT_JSON,
    FAULT_REPLY,
    FAULT_DECODE,
    FAULT_INFERENCE,
    N_FAULT_PLACES
};

#if defined(VP_FAULTS)
void fault_init(void);                   /* [start] */
bool fault_hits(enum fault_place place); /* [any] */
#else
static inline void fault_init(void)
{
}
static inline bool fault_hits(enum fault_place place)
{
    (void)place;
    return false;
}
#endif

#endif
