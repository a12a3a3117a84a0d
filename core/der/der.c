/*
 * The diarization error rate: one sweep over the boundaries of both sides.
 *
 * Between two neighbouring boundaries nothing changes. With r turns of the reference and h of the
 * hypothesis there, dt seconds long:
 *
 *   total       += r dt                miss        += max(r - h, 0) dt
 *   false alarm += max(h - r, 0) dt    confusion   += (min(r, h) - right) dt
 *
 * right = turns of a mapped pair of speakers in both. The mapping is known only at the end, so the
 * sweep sums for every pair of speakers what would be right; the assignment then picks the pairs.
 */
#include <math.h>
#include <stdlib.h>

#include "assignment.h"
#include "base/status.h"
#include "der.h"

#define MOST_SPEAKERS 1000u

enum side { REFERENCE, HYPOTHESIS, UEM, COLLAR, N_SIDES };

struct event {
    double time_s;
    size_t speaker;
    enum side side;
    int step; /* +1 begins, -1 ends */
};

/* Who speaks at the moment. */
struct voices {
    size_t n_speakers;
    size_t n_turns;     /* at once */
    size_t *turns;      /* [n_speakers]: of that speaker, at once */
    size_t *active;     /* [n_active]: speakers with any */
    size_t *place;      /* [n_speakers]: where in active */
    unsigned char *met; /* [n_speakers]: had scored speech */
    size_t n_active;
};

struct sweep {
    struct event *events;
    size_t n_events;
    struct voices voices[2]; /* by side */
    size_t depth[N_SIDES];   /* of UEM and collars */
    double *together; /* [reference speakers, hypothesis speakers]: product of turns, seconds */
    double *right;    /* the same: the lesser of turns */
};

static int compare_events(const void *a, const void *b)
{
    const double x = ((const struct event *)a)->time_s, y = ((const struct event *)b)->time_s;
    return (x > y) - (x < y);
}

static void add_event(struct sweep *sweep, enum side side, size_t speaker, double start_s,
                      double end_s)
{
    sweep->events[sweep->n_events++] = (struct event){start_s, speaker, side, 1};
    sweep->events[sweep->n_events++] = (struct event){end_s, speaker, side, -1};
}

static size_t count_turns(const struct vp_rttm_recording *turns)
{
    return turns != NULL ? turns->n_turns : 0;
}

static enum vp_status add_events(struct sweep *sweep,
                                 const struct vp_rttm_recording *const sides[3], double collar_s,
                                 struct vp_err *err)
{
    const size_t n_pairs = count_turns(sides[REFERENCE]) * (collar_s > 0 ? 3 : 1) +
                           count_turns(sides[HYPOTHESIS]) + count_turns(sides[UEM]);
    sweep->events = calloc(n_pairs + 1, 2 * sizeof *sweep->events);
    if (sweep->events == NULL)
        return status_no_memory(err, "the boundaries of turns", n_pairs * sizeof *sweep->events);
    for (enum side side = REFERENCE; side <= UEM; side++)
        for (size_t i = 0; i < count_turns(sides[side]); i++) {
            const struct vp_rttm_turn turn = sides[side]->turns[i];
            add_event(sweep, side, turn.speaker, turn.start_s, turn.end_s);
            if (side != REFERENCE || !(collar_s > 0))
                continue;
            add_event(sweep, COLLAR, 0, turn.start_s - collar_s, turn.start_s + collar_s);
            add_event(sweep, COLLAR, 0, turn.end_s - collar_s, turn.end_s + collar_s);
        }
    if (sweep->n_events > 0)
        qsort(sweep->events, sweep->n_events, sizeof *sweep->events, compare_events);
    return VP_OK;
}

static enum vp_status new_voices(const struct vp_rttm_recording *turns, struct voices *out,
                                 struct vp_err *err)
{
    out->n_speakers = turns != NULL ? turns->n_speakers : 0;
    if (out->n_speakers > MOST_SPEAKERS)
        return status_fail(err, VP_ERR_ARGUMENT,
                           "%zu speakers in one recording; %u are the most that can be mapped",
                           out->n_speakers, MOST_SPEAKERS);
    const size_t n = out->n_speakers + 1;
    out->turns = calloc(n, sizeof *out->turns);
    out->active = calloc(n, sizeof *out->active);
    out->place = calloc(n, sizeof *out->place);
    out->met = calloc(n, 1);
    if (out->turns == NULL || out->active == NULL || out->place == NULL || out->met == NULL)
        return status_no_memory(err, "the speakers", n * 4 * sizeof *out->turns);
    return VP_OK;
}

static void free_voices(struct voices *voices)
{
    free(voices->turns);
    free(voices->active);
    free(voices->place);
    free(voices->met);
}

static void begin_turn(struct voices *voices, size_t speaker)
{
    voices->n_turns++;
    if (voices->turns[speaker]++ > 0)
        return;
    voices->place[speaker] = voices->n_active;
    voices->active[voices->n_active++] = speaker;
}

static void end_turn(struct voices *voices, size_t speaker)
{
    voices->n_turns--;
    if (--voices->turns[speaker] > 0)
        return;
    const size_t last = voices->active[--voices->n_active], place = voices->place[speaker];
    voices->active[place] = last;
    voices->place[last] = place;
}

/* All events of one moment. Beginnings first: a turn never ends before it began. */
static void apply(struct sweep *sweep, size_t first, size_t end)
{
    for (int step = 1; step >= -1; step -= 2)
        for (size_t i = first; i < end; i++) {
            const struct event event = sweep->events[i];
            if (event.step != step)
                continue;
            if (event.side > HYPOTHESIS)
                sweep->depth[event.side] += (size_t)step;
            else if (step > 0)
                begin_turn(&sweep->voices[event.side], event.speaker);
            else
                end_turn(&sweep->voices[event.side], event.speaker);
        }
}

/* dt seconds in which nothing changes. */
static void score_stretch(struct sweep *sweep, double dt, struct vp_der *out)
{
    const struct voices *r = &sweep->voices[REFERENCE], *h = &sweep->voices[HYPOTHESIS];
    const double n_r = (double)r->n_turns, n_h = (double)h->n_turns;
    out->total_s += n_r * dt;
    out->miss_s += fmax(n_r - n_h, 0) * dt;
    out->false_alarm_s += fmax(n_h - n_r, 0) * dt;
    out->confusion_s += fmin(n_r, n_h) * dt;
    for (size_t i = 0; i < r->n_active; i++)
        r->met[r->active[i]] = 1;
    for (size_t j = 0; j < h->n_active; j++)
        h->met[h->active[j]] = 1;
    for (size_t i = 0; i < r->n_active; i++)
        for (size_t j = 0; j < h->n_active; j++) {
            const size_t pair = r->active[i] * h->n_speakers + h->active[j];
            const double x = (double)r->turns[r->active[i]], y = (double)h->turns[h->active[j]];
            sweep->together[pair] += x * y * dt;
            sweep->right[pair] += fmin(x, y) * dt;
        }
}

static void run(struct sweep *sweep, bool has_uem, bool skip_overlap, struct vp_der *out)
{
    for (size_t i = 0, next; i < sweep->n_events; i = next) {
        const double now = sweep->events[i].time_s;
        for (next = i; next < sweep->n_events && sweep->events[next].time_s <= now;)
            next++;
        apply(sweep, i, next);
        const bool scored = (!has_uem || sweep->depth[UEM] > 0) && sweep->depth[COLLAR] == 0 &&
                            !(skip_overlap && sweep->voices[REFERENCE].n_turns > 1);
        if (scored && next < sweep->n_events)
            score_stretch(sweep, sweep->events[next].time_s - now, out);
    }
}

/* Takes what the mapped pairs have right out of the confusion. */
static enum vp_status map_speakers(const struct sweep *sweep, struct vp_der *out,
                                   struct vp_err *err)
{
    const size_t n_r = sweep->voices[REFERENCE].n_speakers;
    const size_t n_h = sweep->voices[HYPOTHESIS].n_speakers;
    size_t *column = calloc(n_r + 1, sizeof *column);
    if (column == NULL)
        return status_no_memory(err, "the mapping of speakers", n_r * sizeof *column);
    const enum vp_status status = vp_assignment_solve(sweep->together, n_r, n_h, column, err);
    double right = 0;
    for (size_t r = 0; status == VP_OK && r < n_r; r++)
        if (column[r] != VP_ASSIGNMENT_NONE)
            right += sweep->right[r * n_h + column[r]];
    out->confusion_s = fmax(out->confusion_s - right, 0); /* rounding may go below */
    free(column);
    return status;
}

static size_t count_met(const struct voices *voices)
{
    size_t n = 0;
    for (size_t i = 0; i < voices->n_speakers; i++)
        n += voices->met[i];
    return n;
}

enum vp_status vp_der_score(const struct vp_rttm_recording *reference,
                            const struct vp_rttm_recording *hypothesis,
                            const struct vp_rttm_recording *uem,
                            const struct vp_der_options *options, struct vp_der *out,
                            struct vp_err *err)
{
    *out = (struct vp_der){0};
    if (!(options->collar_s >= 0 && options->collar_s <= 1e7))
        return status_fail(err, VP_ERR_ARGUMENT, "the collar is %g s; 0 and more is possible",
                           options->collar_s);
    struct sweep sweep = {0};
    const struct vp_rttm_recording *const sides[3] = {reference, hypothesis, uem};
    enum vp_status status = new_voices(reference, &sweep.voices[REFERENCE], err);
    if (status == VP_OK)
        status = new_voices(hypothesis, &sweep.voices[HYPOTHESIS], err);
    if (status == VP_OK)
        status = add_events(&sweep, sides, options->collar_s, err);
    if (status != VP_OK)
        goto out;
    const size_t n_pairs =
        sweep.voices[REFERENCE].n_speakers * sweep.voices[HYPOTHESIS].n_speakers + 1;
    sweep.together = calloc(n_pairs, sizeof *sweep.together);
    sweep.right = calloc(n_pairs, sizeof *sweep.right);
    if (sweep.together == NULL || sweep.right == NULL) {
        status = status_no_memory(err, "the pairs of speakers", 2 * n_pairs * sizeof(double));
        goto out;
    }
    run(&sweep, uem != NULL, options->skip_overlap, out);
    out->n_speakers_reference = count_met(&sweep.voices[REFERENCE]);
    out->n_speakers_hypothesis = count_met(&sweep.voices[HYPOTHESIS]);
    status = map_speakers(&sweep, out, err);
out:
    free(sweep.events);
    free(sweep.together);
    free(sweep.right);
    free_voices(&sweep.voices[REFERENCE]);
    free_voices(&sweep.voices[HYPOTHESIS]);
    return status;
}

double vp_der_rate(const struct vp_der *der)
{
    const double wrong_s = der->miss_s + der->false_alarm_s + der->confusion_s;
    if (der->total_s > 0)
        return wrong_s / der->total_s;
    return wrong_s > 0 ? 1 : 0;
}
