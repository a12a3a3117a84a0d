/* Clusters of locals, and what follows from them. */
#include "diarize/local/crowd.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "diarize/local/assembly.h"
#include "diarize/local/company.h"
#include "diarize/options.h"

/* Of the cosine at which two clips are one speaker, that at which two tracks are: tracks of a
 * conversation are shorter, and companions are kept apart anyway. Between 0.25 and 0.5 with the
 * model in the box, nothing changes on any of the sets that it was tried on. */
#define THRESHOLD_SHARE 0.66
#define THRESHOLD       0.4 /* of models that state none */

size_t crowd_n_windows(size_t n_samples)
{
    const size_t beyond = n_samples > SEG_WINDOW_SAMPLES ? n_samples - SEG_WINDOW_SAMPLES : 0;
    return 1 + beyond / LOCAL_SPEAKERS_HOP + (beyond % LOCAL_SPEAKERS_HOP >= SEG_MIN_SAMPLES);
}

/* ---- speakers ----------------------------------------------------------------------------- */

struct speakers {
    size_t n;
    float *directions; /* owned, [n, dim], norm 1 */
    double coherence[VP_DIARIZE_MAX_SPEAKERS];
};

/* Means of the voices under labels [locals->n], LOCAL_SPEAKERS_NONE: left out. */
static enum vp_status average(const struct local_speakers *locals, const size_t *labels, size_t n,
                              struct speakers *out, struct vp_err *err)
{
    const size_t dim = locals->dim;
    size_t sizes[VP_DIARIZE_MAX_SPEAKERS] = {0};
    float *directions = calloc(n * dim, sizeof *directions);
    if (directions == NULL)
        return status_no_memory(err, "the speakers", n * dim * sizeof *directions);
    for (size_t i = 0; i < locals->n; i++) {
        const size_t e = locals->list[i].embedding;
        if (e == LOCAL_SPEAKERS_NONE || labels[i] == LOCAL_SPEAKERS_NONE)
            continue;
        for (size_t d = 0; d < dim; d++)
            directions[labels[i] * dim + d] += locals->embeddings[e * dim + d];
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

/* Speakers of the tracks, and of each voice what its window makes of that. */
static enum vp_status find_speakers(const struct local_speakers *locals,
                                    const struct vp_diarize_options *options, double threshold,
                                    struct speakers *out, size_t *labels, double *margins,
                                    struct vp_err *err)
{
    struct tracks tracks;
    size_t n = 0;
    enum vp_status status = tracks_make(locals, &tracks, err);
    size_t *of_track = calloc(tracks.n + 1, sizeof *of_track);
    if (status == VP_OK && of_track == NULL)
        status = status_no_memory(err, "the tracks", tracks.n * sizeof *of_track);
    const struct cluster_rules rules = options_cluster_rules(options, threshold);
    if (status == VP_OK)
        status = company_divide(locals, &tracks, &rules, of_track, &n, err);
    for (size_t i = 0; i < locals->n && status == VP_OK; i++)
        labels[i] = of_track[tracks.of_voice[i]];
    if (status == VP_OK && n > 0)
        status = average(locals, labels, n, out, err);
    if (status == VP_OK && n > 0)
        status =
            assembly_assign(locals, &tracks, of_track, out->directions, n, labels, margins, err);
    if (status == VP_OK && n > 0)
        status = average(locals, labels, n, out, err); /* of the voices that are theirs now */
    tracks_clear(&tracks);
    free(of_track);
    return status;
}

/* ---- the answer --------------------------------------------------------------------------- */

enum vp_status crowd_conclude(const struct local_speakers *locals, size_t n_samples,
                              const struct vp_diarize_options *options, const size_t *truth,
                              size_t n_true, struct answer *answer, struct vp_err *err)
{
    struct answer_voice named[VP_DIARIZE_MAX_SPEAKERS];
    struct speakers speakers = {0};
    struct turns turns = {0};
    size_t *labels = calloc(locals->n + 1, sizeof *labels);
    double *margins = calloc(locals->n + 1, sizeof *margins);
    enum vp_status status = VP_OK;
    answer->tells_overlap = true;
    if (labels == NULL || margins == NULL)
        status = status_no_memory(err, "the voices", locals->n * sizeof *labels);
    if (status == VP_OK && truth == NULL)
        status = find_speakers(locals, options, answer->result.threshold, &speakers, labels,
                               margins, err);
    if (status == VP_OK && truth != NULL) {
        memcpy(labels, truth, locals->n * sizeof *labels);
        status = average(locals, truth, n_true, &speakers, err);
    }
    if (status == VP_OK && speakers.n > 0)
        status = assembly_turns(locals, labels, margins, speakers.n, n_samples, &turns, err);
    for (size_t s = 0; s < speakers.n; s++)
        named[s] = (struct answer_voice){.embedding = speakers.directions + s * locals->dim,
                                         .coherence = speakers.coherence[s]};
    if (status == VP_OK)
        status = answer_make(answer, options, &turns, named, speakers.n, locals->dim, err);
    turns_clear(&turns);
    free(speakers.directions);
    free(labels);
    free(margins);
    return status;
}
