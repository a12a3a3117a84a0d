/* Each function goes once through a list that is sorted by start. */
#include "diarize/turns.h"

#include <math.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/status.h"

#define TOUCH_S 0.0005 /* times are whole milliseconds: nearer than half of one is the same */

enum vp_status turns_add(struct turns *turns, const struct vp_turn *turn, struct vp_err *err)
{
    struct vp_turn *list = array_room(turns->list, &turns->capacity, turns->n + 1, sizeof *list);
    if (list == NULL)
        return status_no_memory(err, "turns", (turns->n + 1) * sizeof *list);
    turns->list = list;
    turns->list[turns->n++] = *turn;
    return VP_OK;
}

void turns_clear(struct turns *turns)
{
    free(turns->list);
    *turns = (struct turns){0};
}

static int by_start(const void *a, const void *b)
{
    const struct vp_turn *x = a, *y = b;
    if (x->start_s != y->start_s)
        return x->start_s < y->start_s ? -1 : 1;
    if (x->speaker != y->speaker)
        return x->speaker < y->speaker ? -1 : 1;
    return x->end_s < y->end_s ? -1 : x->end_s > y->end_s;
}

static double length(const struct vp_turn *turn)
{
    return turn->end_s - turn->start_s;
}

/* Drops turns without length and sorts the rest. */
static void sort(struct turns *turns)
{
    size_t n = 0;
    for (size_t i = 0; i < turns->n; i++)
        if (length(&turns->list[i]) > TOUCH_S)
            turns->list[n++] = turns->list[i];
    turns->n = n;
    if (n > 0)
        qsort(turns->list, n, sizeof *turns->list, by_start);
}

/* later goes into earlier, of the same speaker; confidence by time. */
static void join(struct vp_turn *earlier, struct vp_turn *later)
{
    const double a = length(earlier), b = length(later);
    earlier->confidence = (earlier->confidence * a + later->confidence * b) / (a + b);
    earlier->end_s = fmax(earlier->end_s, later->end_s);
    later->end_s = later->start_s; /* dropped by the next sort */
}

/* Turns of one speaker that overlap or touch, or whose pause is short and nobody else's. */
static void fill_pauses(struct turns *turns, double min_off_s)
{
    size_t last_of[TURNS_MAX_SPEAKERS]; /* index of the speaker's latest turn, plus 1 */
    for (size_t s = 0; s < TURNS_MAX_SPEAKERS; s++)
        last_of[s] = 0;
    for (size_t i = 0; i < turns->n; i++) {
        struct vp_turn *turn = &turns->list[i];
        const size_t last = last_of[turn->speaker];
        last_of[turn->speaker] = i + 1;
        if (last == 0)
            continue;
        struct vp_turn *before = &turns->list[last - 1];
        bool joined = turn->start_s - before->end_s < TOUCH_S;
        if (!joined && turn->start_s - before->end_s < min_off_s - TOUCH_S) {
            joined = true; /* unless another turn reaches into the pause */
            for (size_t s = 0; s < TURNS_MAX_SPEAKERS; s++)
                if (s != turn->speaker && last_of[s] > 0 &&
                    turns->list[last_of[s] - 1].end_s > before->end_s + TOUCH_S)
                    joined = false;
        }
        if (joined) {
            join(before, turn);
            last_of[turn->speaker] = last;
        }
    }
    sort(turns);
}

static bool touch(double a_s, double b_s)
{
    return fabs(a_s - b_s) < TOUCH_S;
}

/* Turns below min_on_s: their time goes to the longer of the turns that touch them. */
static void drop_short(struct turns *turns, double min_on_s)
{
    for (size_t i = 0; i < turns->n; i++) {
        struct vp_turn *turn = &turns->list[i];
        if (length(turn) >= min_on_s - TOUCH_S)
            continue;
        struct vp_turn *before = i > 0 ? turn - 1 : NULL;
        struct vp_turn *after = i + 1 < turns->n ? turn + 1 : NULL;
        if (before != NULL && !touch(before->end_s, turn->start_s))
            before = NULL;
        if (after != NULL && !touch(after->start_s, turn->end_s))
            after = NULL;
        if (before != NULL && (after == NULL || length(before) >= length(after)))
            before->end_s = turn->end_s;
        else if (after != NULL)
            after->start_s = turn->start_s;
        turn->end_s = turn->start_s;
    }
    sort(turns);
}

void turns_clean(struct turns *turns, double min_on_s, double min_off_s)
{
    for (size_t i = 0; i < turns->n; i++) {
        turns->list[i].start_s = round(turns->list[i].start_s * 1000.0) / 1000.0;
        turns->list[i].end_s = round(turns->list[i].end_s * 1000.0) / 1000.0;
    }
    sort(turns);
    fill_pauses(turns, min_off_s);
    drop_short(turns, min_on_s);
    fill_pauses(turns, min_off_s);
}

size_t turns_renumber(struct turns *turns, size_t n_speakers, size_t *old_of)
{
    size_t new_of[TURNS_MAX_SPEAKERS], n = 0;
    for (size_t s = 0; s < n_speakers; s++)
        new_of[s] = SIZE_MAX;
    for (size_t i = 0; i < turns->n; i++) {
        struct vp_turn *turn = &turns->list[i];
        if (new_of[turn->speaker] == SIZE_MAX) {
            old_of[n] = turn->speaker;
            new_of[turn->speaker] = n++;
        }
        turn->speaker = (unsigned)new_of[turn->speaker];
    }
    sort(turns); /* equal starts, by the new numbers */
    return n;
}

enum vp_status turns_exclusive(const struct turns *turns, struct turns *out, struct vp_err *err)
{
    *out = (struct turns){0};
    double taken_s = 0.0;
    enum vp_status status = VP_OK;
    for (size_t i = 0; i < turns->n && status == VP_OK; i++) {
        struct vp_turn turn = turns->list[i];
        turn.start_s = fmax(turn.start_s, taken_s);
        if (length(&turn) <= TOUCH_S)
            continue;
        status = turns_add(out, &turn, err);
        taken_s = turn.end_s;
    }
    return status;
}

void turns_time(const struct turns *turns, double *speech_s, double *overlap_s)
{
    double one_s = 0.0, two_s = 0.0; /* ends of what was counted */
    *speech_s = *overlap_s = 0.0;
    for (size_t i = 0; i < turns->n; i++) {
        const struct vp_turn *turn = &turns->list[i];
        const double shared_end_s = fmin(turn->end_s, one_s);
        *overlap_s += fmax(0.0, shared_end_s - fmax(turn->start_s, two_s));
        *speech_s += fmax(0.0, turn->end_s - fmax(turn->start_s, one_s));
        two_s = fmax(two_s, shared_end_s);
        one_s = fmax(one_s, turn->end_s);
    }
}
