/*
 * The zygote as the service has it, and what became of its decoders. Decoding runs in processes of
 * its own that can do nothing else (seal.h); a recording that makes one crash, hang or take too
 * much costs its own request an error and the service a new process.
 */
#ifndef VP_SANDBOX_H
#define VP_SANDBOX_H

#include "sandbox/zygote.h"

#include <stdint.h>

/* Why a decoder was replaced. */
enum decoder_end {
    DECODER_CRASHED,   /* by a signal of its own, or it left */
    DECODER_FORBIDDEN, /* it asked the system for what the seal does not allow */
    DECODER_TOO_LONG,
    DECODER_TOO_MUCH_MEMORY,
    DECODER_KILLED,    /* from outside: by a person, or a system short of memory */
    DECODER_CANCELLED, /* nobody wanted its answer any more */
    N_DECODER_ENDS
};

struct sandbox;

/* Starts the zygote, whose decoders do `serve` (serve.h); owned (sandbox_free), NULL and a sentence
 * where that cannot be. [start] before the process has threads */
struct sandbox *sandbox_new(nursery_serve *serve, struct vp_err *err);
void sandbox_free(struct sandbox *sandbox); /* [loop] takes, when no box is left; NULL is legal */
/* Has the zygote ended? Then nothing can be decoded any more. [loop] */
bool sandbox_is_gone(const struct sandbox *sandbox);

/* "crashed", ..: borrowed static string. [any] */
const char *sandbox_end_name(enum decoder_end end);
uint64_t sandbox_ends(const struct sandbox *sandbox, enum decoder_end end); /* [any] so far */
double sandbox_cpu_s(const struct sandbox *sandbox); /* [any] of all decoders so far */

/* ---- for boxes ------------------------------------------------------------------------------- */

const struct zygote *sandbox_zygote(const struct sandbox *sandbox);
void sandbox_count_end(struct sandbox *sandbox, enum decoder_end end); /* [any] */
void sandbox_count_cpu(struct sandbox *sandbox, double seconds);       /* [any] */

#endif
