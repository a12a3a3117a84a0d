/* A question that long work asks between its steps: is the result still wanted? */
#ifndef VP_CANCEL_H
#define VP_CANCEL_H

#include <stdbool.h>
#include <stddef.h>

struct cancel {
    bool (*is_cancelled)(void *ctx); /* NULL: always wanted */
    void *ctx;
};

static inline bool cancel_asked(const struct cancel *cancel)
{
    return cancel->is_cancelled != NULL && cancel->is_cancelled(cancel->ctx);
}

#endif
