/*
 * Errors inside the library: one call writes the sentence and returns the status.
 * Any thread.
 */
#ifndef VP_STATUS_H
#define VP_STATUS_H

#include "voiceprint.h"

/* Fills *err (when not NULL) with status and the formatted sentence, clears value, limit and
 * detected, and returns status: `return status_fail(err, VP_ERR_MODEL, "...", ...);` */
enum vp_status status_fail(struct vp_err *err, enum vp_status status, const char *format, ...)
    VP_PRINTF(3, 4);

/* The same, with the number that was found and the limit it broke, in one unit. */
enum vp_status status_fail_limit(struct vp_err *err, enum vp_status status, double value,
                                 double limit, const char *format, ...) VP_PRINTF(5, 6);

/* Fills *err for a failed allocation of n_bytes for `what` and returns VP_ERR_NO_MEMORY. */
enum vp_status status_no_memory(struct vp_err *err, const char *what, size_t n_bytes);

/* *out = a * b, or false when the product does not fit. The only way sizes are multiplied. */
static inline bool size_multiply(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

static inline bool size_add(size_t a, size_t b, size_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

#endif
