/* One-to-one between speakers and voices. */
#include "voices/naming.h"

#include "assignment.h"

#include <math.h>
#include <stdlib.h>

_Static_assert((int)IDENTIFY_MAX_TOP >= (int)VP_DIARIZE_MAX_SPEAKERS, "a candidate is always left");

/* Weights: no voice of that weight is ever given while a stranger is to be had, and none that is
 * allowed weighs as little. */
static const double forbidden = -1e5, least_probability = 1e-300;

struct table {
    const struct decision *decision;
    size_t n;                     /* speakers */
    struct identification *found; /* owned [n], with the most candidates there may be */
    size_t n_voices;
    const struct voice **voices; /* owned [n_voices]: the candidates of all, each once */
    double *weights;             /* owned [n, n_voices + n]: behind the voices strangers */
    const struct voice *names[VP_DIARIZE_MAX_SPEAKERS];
};

static const struct candidate *candidate_of(const struct table *t, size_t speaker,
                                            const struct voice *voice)
{
    const struct identification *found = &t->found[speaker];
    for (size_t i = 0; i < found->n; i++)
        if (found->candidates[i].voice == voice)
            return &found->candidates[i];
    return NULL;
}

static void list_voices(struct table *t)
{
    for (size_t s = 0; s < t->n; s++) {
        for (size_t i = 0; i < t->found[s].n; i++) {
            const struct voice *voice = t->found[s].candidates[i].voice;
            size_t v = 0;
            while (v < t->n_voices && t->voices[v] != voice)
                v++;
            t->voices[v] = voice;
            t->n_voices += v == t->n_voices;
        }
    }
}

static double weight(const struct decision *decision, const struct candidate *candidate)
{
    if (candidate == NULL || (decision->has_threshold && candidate->score < decision->threshold))
        return forbidden;
    return decision->has_calibration ? log(fmax(candidate->probability, least_probability))
                                     : candidate->score - decision->threshold;
}

static void weigh(struct table *t)
{
    double *at = t->weights;
    for (size_t s = 0; s < t->n; s++) {
        const double stranger = t->decision->has_calibration
                                    ? log(fmax(t->found[s].unknown_probability, least_probability))
                                    : 0;
        for (size_t v = 0; v < t->n_voices; v++)
            *at++ = weight(t->decision, candidate_of(t, s, t->voices[v]));
        for (size_t k = 0; k < t->n; k++)
            *at++ = stranger;
    }
}

static bool is_of_another(const struct table *t, size_t speaker, const struct voice *voice)
{
    for (size_t s = 0; s < t->n; s++)
        if (s != speaker && t->names[s] == voice)
            return true;
    return false;
}

/* Of a speaker's name, without what the others are. Summed up rather than taken from 1, which
 * would leave nothing of the little that remains to who lost a voice. */
static double probability(const struct table *t, size_t speaker)
{
    const struct identification *found = &t->found[speaker];
    double all = found->unknown_probability + found->others_probability;
    for (size_t i = 0; i < found->n; i++)
        if (!is_of_another(t, speaker, found->candidates[i].voice))
            all += found->candidates[i].probability;
    return all > 0 ? candidate_of(t, speaker, t->names[speaker])->probability / all : 0;
}

/* Names that are not sure are taken back, and what hung on them. */
static void take_back(struct table *t)
{
    bool is_changed = t->decision->has_calibration;
    while (is_changed) {
        is_changed = false;
        for (size_t s = 0; s < t->n; s++) {
            if (t->names[s] == NULL || probability(t, s) > 0.5)
                continue;
            t->names[s] = NULL;
            is_changed = true;
        }
    }
}

static void report(const struct table *t, struct naming *out)
{
    for (size_t s = 0; s < t->n; s++) {
        const struct identification *found = &t->found[s];
        const struct candidate *candidate =
            t->names[s] != NULL ? candidate_of(t, s, t->names[s]) : found->candidates;
        out[s] = (struct naming){.identity = t->names[s], .has_score = found->n > 0};
        if (found->n == 0)
            continue;
        out[s].score = candidate->score;
        out[s].probability = t->names[s] != NULL && t->decision->has_calibration
                                 ? probability(t, s)
                                 : candidate->probability;
    }
}

static bool assign(struct table *t)
{
    size_t column[VP_DIARIZE_MAX_SPEAKERS];
    list_voices(t);
    weigh(t);
    if (vp_assignment_solve(t->weights, t->n, t->n_voices + t->n, column, NULL) != VP_OK)
        return false;
    for (size_t s = 0; s < t->n; s++)
        if (column[s] < t->n_voices)
            t->names[s] = t->voices[column[s]];
    take_back(t);
    return true;
}

bool name_speakers(const struct gallery *gallery, const float *const *embedding, size_t n,
                   const struct decision *decision, struct naming *out)
{
    struct table t = {.decision = decision, .n = n};
    const size_t most_voices = n * IDENTIFY_MAX_TOP;
    bool is_done = n == 0;
    t.found = calloc(n + 1, sizeof *t.found);
    t.voices = calloc(most_voices + 1, sizeof *t.voices);
    t.weights = calloc(n * (most_voices + n) + 1, sizeof *t.weights);
    if (n > 0 && t.found != NULL && t.voices != NULL && t.weights != NULL) {
        for (size_t s = 0; s < n; s++)
            identify(gallery, embedding[s], decision, IDENTIFY_MAX_TOP, &t.found[s]);
        is_done = !decision->has_threshold && !decision->has_calibration ? true : assign(&t);
    }
    if (is_done)
        report(&t, out);
    free(t.found);
    free(t.voices);
    free(t.weights);
    return is_done;
}
