/*
 * Errors inside the library: one call writes the sentence and returns the status.
 * Any thread.
 */
#ifndef VP_STATUS_H
#define VP_STATUS_H

#include "base/size.h"
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

#endif
