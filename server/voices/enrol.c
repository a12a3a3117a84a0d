/* Agreement between clips, and their mean. */
#include "voices/enrol.h"

#include <math.h>
#include <string.h>

/*
 * A clip is refused where the probability that it and the rest are one person is below this, at
 * even odds: cosine 0.506 with the model in the box. Not the threshold of verification itself,
 * below which clips of one person fall too often when each of several is asked. Chosen on 424
 * speakers of the training speech, clips of 2 to 4 s: of voices of two clips it refuses 0.5 %, of
 * five none of 195, of eight 2.1 %, where the threshold refuses 3.5, 1.0 and 3.7 %; a clip of
 * somebody else, of the same kind of recording, is found in 88, 82 and 81 % of them. The model was
 * trained on these speakers, so others will do worse.
 */
static const double least_probability = 0.1;
static const double rounding = 1e-12; /* of equal cosines, summed in another order */

bool enrol_agreement(bool has_calibration, double slope, double offset, double *cosine)
{
    if (!has_calibration || slope <= 0)
        return false;
    *cosine = (log(least_probability / (1 - least_probability)) - offset) / slope;
    return true;
}

/* Cosines between all clips, by sums: a clip's with the sum of the others, and their length, follow
 * from it whatever the dimension. */
struct kinship {
    double with_all[VOICE_MAX_CLIPS]; /* a clip's cosines with all, itself too */
    double itself[VOICE_MAX_CLIPS];   /* 1, but for rounding */
    double total;                     /* of with_all */
};

static void measure(const struct clips *clips, size_t dim, struct kinship *kinship)
{
    *kinship = (struct kinship){.total = 0};
    for (size_t i = 0; i < clips->n; i++) {
        for (size_t j = 0; j < clips->n; j++) {
            const double cosine =
                vp_cosine(clips->embeddings + i * dim, clips->embeddings + j * dim, dim);
            kinship->with_all[i] += cosine;
            if (i == j)
                kinship->itself[i] = cosine;
        }
        kinship->total += kinship->with_all[i];
    }
}

/* The cosine of clip i with the mean of the others. */
static double cosine_with_others(const struct kinship *kinship, size_t i)
{
    const double dot = kinship->with_all[i] - kinship->itself[i];
    const double squared = kinship->total - 2 * kinship->with_all[i] + kinship->itself[i];
    return squared > 1e-12 ? dot / sqrt(squared) : -1; /* the others cancel: none agrees */
}

bool enrol_judge(const struct clips *clips, size_t dim, size_t first, double agreement,
                 struct problem *problem)
{
    struct kinship kinship;
    double least = 2;
    size_t worst = first;
    if (clips->n < 2)
        return true;
    measure(clips, dim, &kinship);
    for (size_t i = first; i < clips->n; i++) {
        const double cosine = cosine_with_others(&kinship, i);
        if (cosine <= least + rounding) { /* of two that disagree the later one is named */
            least = cosine;
            worst = i;
        }
    }
    if (least >= agreement)
        return true;
    problem_set(problem, PROBLEM_CLIPS_DISAGREE,
                "clip %zu, counted from 0, seems to be another voice than the rest: leave it out, "
                "or enrol it as a voice of its own",
                worst - first);
    problem->has_clip = true;
    problem->clip = worst - first;
    return false;
}

struct voice *enrol_make(const char *id, const struct clips *clips, size_t dim, double min_speech_s,
                         float *row, struct problem *problem)
{
    struct vp_err err;
    struct voice *voice = voice_new(id, clips->n);
    if (voice == NULL) {
        problem_set_no_memory(problem);
        return NULL;
    }
    if (vp_embedding_average(clips->embeddings, clips->n, dim, row, &voice->coherence, &err) !=
        VP_OK) {
        problem_set(problem, PROBLEM_CLIPS_DISAGREE, "the clips have no voice in common");
        voice_release(voice);
        return NULL;
    }
    memcpy(voice->clips, clips->clip, clips->n * sizeof clips->clip[0]);
    for (size_t i = 0; i < clips->n; i++)
        voice->speech_s += clips->clip[i].speech_s;
    voice->enrolled = voice->speech_s >= min_speech_s;
    return voice;
}
