/* Uploads, whole, under their own limit and the common budget. */
#include "http/body.h"

#include "util/fault.h"
#include "util/spent.h"
#include "util/thread.h"

#include <stdlib.h>
#include <string.h>

enum { STEP_BYTES = 64 * 1024 };

size_t budget_left(const struct budget *budget)
{
    return budget->max_bytes - budget->used_bytes;
}

static bool reserve(struct body *body, size_t n_bytes)
{
    struct budget *budget = body->budget;
    if (n_bytes > budget_left(budget) && budget->make_room != NULL)
        budget->make_room(budget, &body->holder, n_bytes);
    if (n_bytes > budget_left(budget)) {
        budget->was_short = true;
        return false;
    }
    budget->used_bytes += n_bytes;
    body->reserved_bytes += n_bytes;
    holder_take(&body->holder, budget->share, n_bytes);
    return true;
}

static void drop(struct body *body)
{
    if (body->budget != NULL) {
        body->budget->used_bytes -= body->reserved_bytes;
        holder_give(&body->holder, body->budget->share, body->reserved_bytes);
    }
    holder_close(&body->holder);
    spent_free(body->bytes, body->room_bytes);
    body->reserved_bytes = 0;
    body->bytes = NULL;
    body->n_bytes = body->room_bytes = 0;
}

enum body_fault body_open(struct body *body, struct budget *budget, const struct holder *holder,
                          size_t max_bytes, uint64_t declared_bytes)
{
    ON_LOOP();
    memset(body, 0, sizeof *body);
    body->budget = budget;
    holder_copy(&body->holder, holder);
    body->max_bytes = max_bytes;
    size_t first = declared_bytes;
    if (declared_bytes == BODY_LENGTH_UNKNOWN)
        first = max_bytes < STEP_BYTES ? max_bytes : STEP_BYTES;
    else if (declared_bytes > max_bytes)
        body->fault = BODY_TOO_LARGE;
    if (body->fault == BODY_GOOD && !reserve(body, first))
        body->fault = BODY_NO_BUDGET;
    if (body->fault != BODY_GOOD)
        drop(body);
    return body->fault;
}

/* Room for n bytes in all: doubled, never beyond the limit, within the reservation. */
static enum body_fault grow(struct body *body, size_t n)
{
    if (n <= body->room_bytes)
        return BODY_GOOD;
    size_t room = body->room_bytes > 0 ? body->room_bytes : STEP_BYTES;
    while (room < n)
        room *= 2; /* n <= max_bytes, far below overflow */
    if (room > body->max_bytes)
        room = body->max_bytes;
    if (n <= body->reserved_bytes && room > body->reserved_bytes)
        room = body->reserved_bytes; /* a declared length: take that and no more */
    if (room > body->reserved_bytes && !reserve(body, room - body->reserved_bytes))
        return BODY_NO_BUDGET;
    unsigned char *bytes = fault_hits(FAULT_UPLOAD) ? NULL : realloc(body->bytes, room);
    if (bytes == NULL)
        return BODY_NO_BUDGET;
    body->bytes = bytes;
    body->room_bytes = room;
    return BODY_GOOD;
}

void body_append(struct body *body, const void *bytes, size_t n)
{
    ON_LOOP();
    body->counted_bytes += n;
    if (body->fault != BODY_GOOD)
        return;
    if (body->counted_bytes > body->max_bytes)
        body->fault = BODY_TOO_LARGE;
    else
        body->fault = grow(body, body->n_bytes + n);
    if (body->fault != BODY_GOOD) {
        drop(body);
        return;
    }
    memcpy(body->bytes + body->n_bytes, bytes, n);
    body->n_bytes += n;
}

bool body_is_hopeless(const struct body *body)
{
    return body->fault != BODY_GOOD && body->counted_bytes > 2 * (uint64_t)body->max_bytes;
}

void body_refuse(struct body *body)
{
    ON_LOOP();
    if (body->fault == BODY_GOOD)
        body->fault = BODY_NO_BUDGET;
    drop(body);
}

void body_move(struct body *from, struct body *to)
{
    ON_LOOP();
    VP_BUG_IF(to->bytes != NULL || to->reserved_bytes != 0);
    *to = *from;
    from->bytes = NULL;
    from->n_bytes = from->room_bytes = from->reserved_bytes = 0;
    from->holder = (struct holder){NULL, NULL};
}

void body_close(struct body *body)
{
    ON_LOOP();
    drop(body);
}
