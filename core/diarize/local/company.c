/* Agglomeration under the condition that companions stay apart. */
#include "diarize/local/company.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Clusters in slots; an empty slot went into another. */
struct company {
    size_t n;             /* slots */
    size_t *tracks;       /* owned, [n], the track that slot began with */
    size_t *slot_of;      /* owned, [n], where that slot's cluster is now */
    float *dots;          /* owned, [n, n] of sums; the diagonal is the squared length */
    unsigned char *apart; /* owned, [n, n]: heard in one window */
    unsigned char *gone;  /* owned, [n] */
    size_t *partner;      /* owned, [n], the most similar slot behind this one */
    double *most;         /* owned, [n], how similar; -2: none */
    size_t n_clusters;
};

static void clear(struct company *c)
{
    free(c->tracks);
    free(c->slot_of);
    free(c->dots);
    free(c->apart);
    free(c->gone);
    free(c->partner);
    free(c->most);
}

/* ---- beginning ---------------------------------------------------------------------------- */

struct ranked {
    double weight;
    size_t track;
};

static int heavier_first(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->weight != y->weight)
        return x->weight > y->weight ? -1 : 1;
    return (x->track > y->track) - (x->track < y->track);
}

static int by_size(const void *a, const void *b)
{
    const size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return (x > y) - (x < y);
}

/* The tracks with embeddings, the longest where they are too many, in order of time. */
static enum vp_status pick(const struct tracks *tracks, struct company *c, struct vp_err *err)
{
    struct ranked *ranked = calloc(tracks->n + 1, sizeof *ranked);
    c->tracks = calloc(tracks->n + 1, sizeof *c->tracks);
    if (ranked == NULL || c->tracks == NULL) {
        free(ranked);
        return status_no_memory(err, "the tracks", tracks->n * sizeof *ranked);
    }
    size_t n = 0;
    for (size_t i = 0; i < tracks->n; i++)
        if (tracks->weights[i] > 0)
            ranked[n++] = (struct ranked){tracks->weights[i], i};
    if (n > 0)
        qsort(ranked, n, sizeof *ranked, heavier_first);
    c->n = n < COMPANY_MOST ? n : COMPANY_MOST;
    for (size_t i = 0; i < c->n; i++)
        c->tracks[i] = ranked[i].track;
    if (c->n > 0)
        qsort(c->tracks, c->n, sizeof *c->tracks, by_size);
    c->n_clusters = c->n;
    free(ranked);
    return VP_OK;
}

static void mark_companions(const struct local_speakers *locals, const struct tracks *tracks,
                            const size_t *slot_of_track, struct company *c)
{
    for (size_t i = 0; i < locals->n; i++)
        for (size_t j = i + 1; j < locals->n && locals->list[j].window == locals->list[i].window;
             j++) {
            const size_t a = slot_of_track[tracks->of_voice[i]];
            const size_t b = slot_of_track[tracks->of_voice[j]];
            if (a != LOCAL_SPEAKERS_NONE && b != LOCAL_SPEAKERS_NONE && a != b)
                c->apart[a * c->n + b] = c->apart[b * c->n + a] = 1;
        }
}

static enum vp_status begin(const struct local_speakers *locals, const struct tracks *tracks,
                            struct company *c, struct vp_err *err)
{
    enum vp_status status = pick(tracks, c, err);
    if (status != VP_OK)
        return status;
    const size_t n = c->n, dim = locals->dim;
    float *sums = calloc(n + 1, dim * sizeof *sums);
    size_t *slot_of_track = calloc(tracks->n + 1, sizeof *slot_of_track);
    c->slot_of = calloc(n + 1, sizeof *c->slot_of);
    c->dots = calloc(n * n + 1, sizeof *c->dots);
    c->apart = calloc(n * n + 1, 1);
    c->gone = calloc(n + 1, 1);
    c->partner = calloc(n + 1, sizeof *c->partner);
    c->most = calloc(n + 1, sizeof *c->most);
    if (sums == NULL || slot_of_track == NULL || c->slot_of == NULL || c->dots == NULL ||
        c->apart == NULL || c->gone == NULL || c->partner == NULL || c->most == NULL) {
        status = status_no_memory(err, "the similarities of tracks", n * n * sizeof *c->dots);
        goto out;
    }
    for (size_t i = 0; i < tracks->n; i++)
        slot_of_track[i] = LOCAL_SPEAKERS_NONE;
    for (size_t i = 0; i < n; i++) {
        memcpy(sums + i * dim, tracks->sums + c->tracks[i] * dim, dim * sizeof *sums);
        slot_of_track[c->tracks[i]] = i;
        c->slot_of[i] = i;
    }
    if (n > 0)
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)n, (int)n, (int)dim, 1.0F, sums,
                    (int)dim, sums, (int)dim, 0.0F, c->dots, (int)n);
    mark_companions(locals, tracks, slot_of_track, c);
out:
    free(sums);
    free(slot_of_track);
    return status;
}

/* ---- merging ------------------------------------------------------------------------------ */

static double cosine(const struct company *c, size_t a, size_t b)
{
    const double lengths = sqrt((double)c->dots[a * c->n + a] * (double)c->dots[b * c->n + b]);
    return lengths > 0 ? (double)c->dots[a * c->n + b] / lengths : -1;
}

/* The most similar cluster behind slot i, companions left out unless force is set. */
static void find_partner(struct company *c, size_t i, bool force)
{
    c->partner[i] = LOCAL_SPEAKERS_NONE;
    c->most[i] = -2;
    for (size_t j = i + 1; j < c->n && !c->gone[i]; j++) {
        if (c->gone[j] || (!force && c->apart[i * c->n + j]))
            continue;
        const double found = cosine(c, i, j);
        if (found > c->most[i]) {
            c->most[i] = found;
            c->partner[i] = j;
        }
    }
}

static void find_partners(struct company *c, bool force)
{
    for (size_t i = 0; i < c->n; i++)
        find_partner(c, i, force);
}

/* The most similar pair; among equals the first. False when there is none. */
static bool best_pair(const struct company *c, size_t *a, size_t *b, double *most)
{
    *most = -2;
    for (size_t i = 0; i < c->n; i++)
        if (!c->gone[i] && c->most[i] > *most) {
            *most = c->most[i];
            *a = i;
            *b = c->partner[i];
        }
    return *most > -2;
}

/* b goes into a. */
static void merge(struct company *c, size_t a, size_t b)
{
    const size_t n = c->n;
    const float own = c->dots[a * n + a] + 2 * c->dots[a * n + b] + c->dots[b * n + b];
    for (size_t k = 0; k < n; k++) {
        c->dots[a * n + k] += c->dots[b * n + k];
        c->dots[k * n + a] = c->dots[a * n + k];
        c->apart[a * n + k] |= c->apart[b * n + k];
        c->apart[k * n + a] = c->apart[a * n + k];
        if (c->slot_of[k] == b)
            c->slot_of[k] = a;
    }
    c->dots[a * n + a] = own;
    c->gone[b] = 1;
    c->n_clusters--;
}

/* After a merge into a: partners that may have changed. */
static void refresh(struct company *c, size_t a, size_t b, bool force)
{
    find_partner(c, a, force);
    for (size_t i = 0; i < c->n; i++) {
        if (i == a || c->gone[i])
            continue;
        if (c->partner[i] == a || c->partner[i] == b) {
            find_partner(c, i, force);
        } else if (i < a && (force || !c->apart[i * c->n + a])) {
            const double found = cosine(c, i, a);
            if (found > c->most[i] || (found >= c->most[i] && a < c->partner[i])) {
                c->most[i] = found;
                c->partner[i] = a;
            }
        }
    }
}

static void agglomerate(struct company *c, const struct cluster_rules *rules)
{
    size_t a = 0, b = 0;
    double most;
    bool force = false; /* only companions are left, and still they are too many */
    find_partners(c, force);
    while (c->n_clusters > rules->min_clusters && c->n_clusters > 1) {
        const bool too_many = c->n_clusters > rules->max_clusters;
        if (!best_pair(c, &a, &b, &most)) {
            if (!too_many || force)
                return;
            force = true;
            find_partners(c, force);
            continue;
        }
        if (!too_many && (force || most < rules->threshold))
            return;
        merge(c, a, b);
        refresh(c, a, b, force);
    }
}

/* ---- the others --------------------------------------------------------------------------- */

/* Tracks that were too many go to the speaker whose first track's cluster is nearest. */
static void place_others(const struct local_speakers *locals, const struct tracks *tracks,
                         const float *sums, size_t n_speakers, size_t *speakers)
{
    const int dim = (int)locals->dim;
    for (size_t i = 0; i < tracks->n; i++) {
        if (speakers[i] != LOCAL_SPEAKERS_NONE || !(tracks->weights[i] > 0))
            continue;
        double most = -HUGE_VAL;
        for (size_t s = 0; s < n_speakers; s++) {
            const float *sum = sums + s * locals->dim;
            const double found =
                (double)cblas_sdot(dim, tracks->sums + i * locals->dim, 1, sum, 1) /
                (double)cblas_snrm2(dim, sum, 1);
            if (found > most) {
                most = found;
                speakers[i] = s;
            }
        }
    }
}

enum vp_status company_divide(const struct local_speakers *locals, const struct tracks *tracks,
                              const struct cluster_rules *rules, size_t *speakers,
                              size_t *n_speakers, struct vp_err *err)
{
    struct company c = {0};
    size_t *number = NULL;
    float *sums = NULL;
    *n_speakers = 0;
    for (size_t i = 0; i < tracks->n; i++)
        speakers[i] = LOCAL_SPEAKERS_NONE;
    enum vp_status status = begin(locals, tracks, &c, err);
    number = calloc(c.n + 1, sizeof *number);
    if (status == VP_OK && number == NULL)
        status = status_no_memory(err, "the speakers", c.n * sizeof *number);
    if (status != VP_OK)
        goto out;
    agglomerate(&c, rules);
    for (size_t i = 0; i < c.n; i++)
        number[i] = LOCAL_SPEAKERS_NONE;
    for (size_t i = 0; i < c.n; i++) { /* numbered in order of time */
        if (number[c.slot_of[i]] == LOCAL_SPEAKERS_NONE)
            number[c.slot_of[i]] = (*n_speakers)++;
        speakers[c.tracks[i]] = number[c.slot_of[i]];
    }
    sums = calloc(*n_speakers + 1, locals->dim * sizeof *sums);
    if (sums == NULL) {
        status = status_no_memory(err, "the speakers", *n_speakers * locals->dim * sizeof *sums);
        goto out;
    }
    for (size_t i = 0; i < tracks->n; i++)
        if (speakers[i] != LOCAL_SPEAKERS_NONE)
            cblas_saxpy((int)locals->dim, 1.0F, tracks->sums + i * locals->dim, 1,
                        sums + speakers[i] * locals->dim, 1);
    place_others(locals, tracks, sums, *n_speakers, speakers);
out:
    clear(&c);
    free(number);
    free(sums);
    return status;
}
