/* Turns by speaker, each with the speech of that speaker before it: what lies in a stretch of time
 * is then the difference of two look-ups, however many turns it has. */
#include "transcript/timeline.h"

#include <math.h>
#include <stdlib.h>

#include "base/status.h"

struct spoken {
    unsigned speaker;
    double start_s, end_s;
    double before_s; /* speech of this speaker before start_s */
};

struct timeline {
    size_t n_speakers;
    size_t *first;        /* [n_speakers + 1] into turns */
    struct spoken *turns; /* by speaker, then by start */
};

static int by_speaker_and_start(const void *a, const void *b)
{
    const struct spoken *one = a, *other = b;
    if (one->speaker != other->speaker)
        return one->speaker < other->speaker ? -1 : 1;
    return one->start_s < other->start_s ? -1 : one->start_s > other->start_s;
}

enum vp_status timeline_new(const struct vp_turn *turns, size_t n_turns, struct timeline **out,
                            struct vp_err *err)
{
    size_t n_speakers = 0;
    *out = NULL;
    for (size_t i = 0; i < n_turns; i++)
        if (turns[i].speaker >= n_speakers)
            n_speakers = turns[i].speaker + 1;
    struct timeline *timeline = calloc(1, sizeof *timeline);
    if (timeline != NULL) {
        timeline->n_speakers = n_speakers;
        timeline->first = calloc(n_speakers + 1, sizeof *timeline->first);
        timeline->turns = calloc(n_turns + 1, sizeof *timeline->turns);
    }
    if (timeline == NULL || timeline->first == NULL || timeline->turns == NULL) {
        timeline_free(timeline);
        return status_no_memory(err, "the timeline", n_turns * sizeof *timeline->turns);
    }
    for (size_t i = 0; i < n_turns; i++) {
        timeline->turns[i] = (struct spoken){
            .speaker = turns[i].speaker, .start_s = turns[i].start_s, .end_s = turns[i].end_s};
        timeline->first[turns[i].speaker + 1]++;
    }
    for (size_t s = 0; s < n_speakers; s++)
        timeline->first[s + 1] += timeline->first[s];
    qsort(timeline->turns, n_turns, sizeof *timeline->turns, by_speaker_and_start);
    for (size_t i = 1; i < n_turns; i++) {
        const struct spoken *last = &timeline->turns[i - 1];
        if (timeline->turns[i].speaker == last->speaker)
            timeline->turns[i].before_s = last->before_s + (last->end_s - last->start_s);
    }
    *out = timeline;
    return VP_OK;
}

void timeline_free(struct timeline *timeline)
{
    if (timeline == NULL)
        return;
    free(timeline->first);
    free(timeline->turns);
    free(timeline);
}

/* How many of turns [n] start before or at t. */
static size_t n_started(const struct spoken *turns, size_t n, double t_s)
{
    size_t low = 0, high = n;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (turns[middle].start_s <= t_s)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Speech in turns [n] of one speaker before t. */
static double speech_before(const struct spoken *turns, size_t n, double t_s)
{
    const size_t i = n_started(turns, n, t_s);
    if (i == 0)
        return 0;
    const struct spoken *last = &turns[i - 1];
    return last->before_s + (fmin(t_s, last->end_s) - last->start_s);
}

/* From the stretch to the nearest of turns [n], 0 when they touch. */
static double distance(const struct spoken *turns, size_t n, double start_s, double end_s)
{
    const size_t i = n_started(turns, n, end_s);
    double nearest_s = INFINITY;
    if (i > 0)
        nearest_s = fmax(start_s - turns[i - 1].end_s, 0);
    if (i < n)
        nearest_s = fmin(nearest_s, turns[i].start_s - end_s);
    return nearest_s;
}

int timeline_speaker(const struct timeline *timeline, double start_s, double end_s, double reach_s)
{
    double most_s = 0, nearest_s = INFINITY;
    size_t speaks = 0, near = 0;
    for (size_t s = 0; s < timeline->n_speakers; s++) {
        const struct spoken *turns = timeline->turns + timeline->first[s];
        const size_t n = timeline->first[s + 1] - timeline->first[s];
        const double overlap_s = speech_before(turns, n, end_s) - speech_before(turns, n, start_s);
        const double distance_s = distance(turns, n, start_s, end_s);
        if (overlap_s > most_s + 1e-9) { /* 1e-9: rounding does not decide */
            most_s = overlap_s;
            speaks = s;
        }
        if (distance_s < nearest_s - 1e-9) {
            nearest_s = distance_s;
            near = s;
        }
    }
    if (most_s > 0)
        return (int)speaks;
    return nearest_s <= reach_s + 1e-9 ? (int)near : -1;
}
