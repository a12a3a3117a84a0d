/* Clusters of voices, and what follows from them. */
#include "diarize/crowd.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "diarize/assembly.h"
#include "diarize/company.h"

/* Of the cosine at which two clips are one speaker, that at which two tracks are: tracks of a
 * conversation are shorter, and companions are kept apart anyway. Between 0.25 and 0.5 with the
 * model in the box, nothing changes on any of the sets that it was tried on. */
#define THRESHOLD_SHARE 0.66
#define THRESHOLD       0.4 /* of models that state none */

size_t crowd_n_windows(size_t n_samples)
{
    const size_t beyond = n_samples > SEG_WINDOW_SAMPLES ? n_samples - SEG_WINDOW_SAMPLES : 0;
    return 1 + beyond / VOICES_HOP + (beyond % VOICES_HOP >= SEG_MIN_SAMPLES);
}

/* ---- speakers ----------------------------------------------------------------------------- */

struct speakers {
    size_t n;
    float *directions; /* owned, [n, dim], norm 1 */
    double coherence[VP_DIARIZE_MAX_SPEAKERS];
};

/* Means of the voices under labels [voices->n], VOICES_NONE: left out. */
static enum vp_status average(const struct voices *voices, const size_t *labels, size_t n,
                              struct speakers *out, struct vp_err *err)
{
    const size_t dim = voices->dim;
    size_t sizes[VP_DIARIZE_MAX_SPEAKERS] = {0};
    float *directions = calloc(n * dim, sizeof *directions);
    if (directions == NULL)
        return status_no_memory(err, "the speakers", n * dim * sizeof *directions);
    for (size_t i = 0; i < voices->n; i++) {
        const size_t e = voices->list[i].embedding;
        if (e == VOICES_NONE || labels[i] == VOICES_NONE)
            continue;
        for (size_t d = 0; d < dim; d++)
            directions[labels[i] * dim + d] += voices->embeddings[e * dim + d];
        sizes[labels[i]]++;
    }
    enum vp_status status = VP_OK;
    for (size_t s = 0; s < n && status == VP_OK; s++) {
        double norm = 0;
        if (sizes[s] > 0) /* else nobody is near it */
            status = vp_embedding_normalize(directions + s * dim, dim, &norm, err);
        out->coherence[s] = sizes[s] > 0 ? norm / (double)sizes[s] : 0;
    }
    free(out->directions);
    out->directions = directions;
    out->n = n;
    return status;
}

double crowd_threshold(const struct vp_model_info *model)
{
    return model->has_threshold ? THRESHOLD_SHARE * model->threshold : THRESHOLD;
}

static struct cluster_rules rules_of(const struct vp_diarize_options *options, double threshold)
{
    struct cluster_rules rules = {
        .min_clusters = options->min_speakers > 0 ? options->min_speakers : 1,
        .max_clusters = options->max_speakers > 0 ? options->max_speakers : VP_DIARIZE_MAX_SPEAKERS,
        .threshold = threshold,
    };
    if (options->num_speakers > 0)
        rules.min_clusters = rules.max_clusters = options->num_speakers;
    return rules;
}

/* Speakers of the tracks, and of each voice what its window makes of that. */
static enum vp_status find_speakers(const struct voices *voices,
                                    const struct vp_diarize_options *options, double threshold,
                                    struct speakers *out, size_t *labels, double *margins,
                                    struct vp_err *err)
{
    struct tracks tracks;
    size_t n = 0;
    enum vp_status status = tracks_make(voices, &tracks, err);
    size_t *of_track = calloc(tracks.n + 1, sizeof *of_track);
    if (status == VP_OK && of_track == NULL)
        status = status_no_memory(err, "the tracks", tracks.n * sizeof *of_track);
    const struct cluster_rules rules = rules_of(options, threshold);
    if (status == VP_OK)
        status = company_divide(voices, &tracks, &rules, of_track, &n, err);
    for (size_t i = 0; i < voices->n && status == VP_OK; i++)
        labels[i] = of_track[tracks.of_voice[i]];
    if (status == VP_OK && n > 0)
        status = average(voices, labels, n, out, err);
    if (status == VP_OK && n > 0)
        status =
            assembly_assign(voices, &tracks, of_track, out->directions, n, labels, margins, err);
    if (status == VP_OK && n > 0)
        status = average(voices, labels, n, out, err); /* of the voices that are theirs now */
    tracks_clear(&tracks);
    free(of_track);
    return status;
}

/* ---- the answer --------------------------------------------------------------------------- */

enum vp_status crowd_conclude(const struct voices *voices, size_t n_samples,
                              const struct vp_diarize_options *options, const size_t *truth,
                              size_t n_true, struct answer *answer, struct vp_err *err)
{
    struct answer_voice named[VP_DIARIZE_MAX_SPEAKERS];
    struct speakers speakers = {0};
    struct turns turns = {0};
    size_t *labels = calloc(voices->n + 1, sizeof *labels);
    double *margins = calloc(voices->n + 1, sizeof *margins);
    enum vp_status status = VP_OK;
    answer->tells_overlap = true;
    if (labels == NULL || margins == NULL)
        status = status_no_memory(err, "the voices", voices->n * sizeof *labels);
    if (status == VP_OK && truth == NULL)
        status = find_speakers(voices, options, answer->result.threshold, &speakers, labels,
                               margins, err);
    if (status == VP_OK && truth != NULL) {
        memcpy(labels, truth, voices->n * sizeof *labels);
        status = average(voices, truth, n_true, &speakers, err);
    }
    if (status == VP_OK && speakers.n > 0)
        status = assembly_turns(voices, labels, margins, speakers.n, n_samples, &turns, err);
    for (size_t s = 0; s < speakers.n; s++)
        named[s] = (struct answer_voice){.embedding = speakers.directions + s * voices->dim,
                                         .coherence = speakers.coherence[s]};
    if (status == VP_OK)
        status = answer_make(answer, options, &turns, named, speakers.n, voices->dim, err);
    turns_clear(&turns);
    free(speakers.directions);
    free(labels);
    free(margins);
    return status;
}
