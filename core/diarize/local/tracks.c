/* One window to the next, one to one, by the frames in which both hear somebody. */
#include "diarize/local/tracks.h"

#include <stdlib.h>

#include "cluster/assignment.h"

#define LEAST_SHARED 0.5 /* frames that both hear, of those that either does */
#define LEAST_FRAMES 12u /* 0.2 s that both hear */

size_t tracks_first_frame(size_t window)
{
    return (window * LOCAL_SPEAKERS_HOP + SEG_FRAME_STEP / 2) / SEG_FRAME_STEP;
}

/* Voices of one window. */
struct group {
    size_t first, n;
};

static struct group next_group(const struct local_speakers *locals, size_t first)
{
    struct group group = {first, 0};
    while (first + group.n < locals->n &&
           locals->list[first + group.n].window == locals->list[first].window)
        group.n++;
    return group;
}

/* Share of frames in common of two voices in neighbouring windows; 0 where that is next to none. */
static double shared(const struct local_speakers *locals, size_t a, size_t b)
{
    const struct local_speaker *x = &locals->list[a], *y = &locals->list[b];
    const unsigned char *m = locals->masks + x->window * SEG_WINDOW_FRAMES;
    const unsigned char *n = locals->masks + y->window * SEG_WINDOW_FRAMES;
    const size_t shift = tracks_first_frame(y->window) - tracks_first_frame(x->window);
    size_t both = 0, either = 0;
    for (size_t k = 0; k + shift < SEG_WINDOW_FRAMES; k++) {
        const unsigned p = m[k + shift] >> x->local & 1u, q = n[k] >> y->local & 1u;
        both += p & q;
        either += p | q;
    }
    return both >= LEAST_FRAMES ? (double)both / (double)either : 0;
}

/* Gives the voices of `now` the tracks of those of `before` whom they are, else new ones. */
static enum vp_status link_group(const struct local_speakers *locals, struct group before,
                                 struct group now, struct tracks *out, struct vp_err *err)
{
    double weights[SEG_N_SPEAKERS * SEG_N_SPEAKERS];
    size_t column[SEG_N_SPEAKERS];
    for (size_t i = 0; i < now.n; i++)
        for (size_t j = 0; j < before.n; j++)
            weights[i * before.n + j] = shared(locals, before.first + j, now.first + i);
    const enum vp_status status = assignment_solve(weights, now.n, before.n, column, err);
    for (size_t i = 0; i < now.n && status == VP_OK; i++) {
        const bool linked =
            column[i] != ASSIGNMENT_NONE && weights[i * before.n + column[i]] >= LEAST_SHARED;
        out->of_voice[now.first + i] = linked ? out->of_voice[before.first + column[i]] : out->n++;
    }
    return status;
}

static enum vp_status add_up(const struct local_speakers *locals, struct tracks *out,
                             struct vp_err *err)
{
    out->sums = calloc(out->n + 1, locals->dim * sizeof *out->sums);
    out->weights = calloc(out->n + 1, sizeof *out->weights);
    if (out->sums == NULL || out->weights == NULL)
        return status_no_memory(err, "the tracks", out->n * locals->dim * sizeof *out->sums);
    for (size_t i = 0; i < locals->n; i++) {
        const struct local_speaker *voice = &locals->list[i];
        const size_t track = out->of_voice[i];
        if (voice->embedding == LOCAL_SPEAKERS_NONE)
            continue;
        const double weight = (double)voice->n_alone + 1;
        for (size_t d = 0; d < locals->dim; d++)
            out->sums[track * locals->dim + d] +=
                (float)weight * locals->embeddings[voice->embedding * locals->dim + d];
        out->weights[track] += weight;
    }
    return VP_OK;
}

enum vp_status tracks_make(const struct local_speakers *locals, struct tracks *out,
                           struct vp_err *err)
{
    *out = (struct tracks){0};
    out->of_voice = calloc(locals->n + 1, sizeof *out->of_voice);
    if (out->of_voice == NULL)
        return status_no_memory(err, "the tracks", locals->n * sizeof *out->of_voice);
    struct group before = {0, 0};
    enum vp_status status = VP_OK;
    for (size_t i = 0; i < locals->n && status == VP_OK;) {
        const struct group now = next_group(locals, i);
        if (before.n > 0 && locals->list[now.first].window != locals->list[before.first].window + 1)
            before.n = 0; /* a window of silence lies between */
        status = link_group(locals, before, now, out, err);
        before = now;
        i += now.n;
    }
    return status == VP_OK ? add_up(locals, out, err) : status;
}

void tracks_clear(struct tracks *tracks)
{
    free(tracks->of_voice);
    free(tracks->sums);
    free(tracks->weights);
    *tracks = (struct tracks){0};
}
