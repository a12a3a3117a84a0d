/* Cosines with the directions of the clusters are the evidence. */
#include "diarize/windows/window_labels.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>

#include "cluster/viterbi.h"
#include "features/frames.h"

/* What a change of speaker costs, as a difference of cosines: more within a segment, where windows
 * overlap, than across a pause. Chosen as the numbers in cluster.c were. */
#define CHANGE_WITHIN 0.05
#define CHANGE_ACROSS 0.02

float *window_labels_cosines(const struct partition *partition)
{
    const size_t n = partition->n, k = partition->n_clusters, dim = partition->dim;
    float *cosines = malloc(n * k * sizeof *cosines), *directions = malloc(k * dim * sizeof(float));
    if (cosines != NULL && directions != NULL) {
        for (size_t c = 0; c < k; c++)
            partition_direction(partition, c, directions + c * dim);
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)n, (int)k, (int)dim, 1.0F,
                    partition->vectors, (int)dim, directions, (int)dim, 0.0F, cosines, (int)k);
    } else {
        free(cosines);
        cosines = NULL;
    }
    free(directions);
    return cosines;
}

enum vp_status window_labels_smooth(struct partition *partition, const struct window *windows,
                                    struct vp_err *err)
{
    const size_t n = partition->n, k = partition->n_clusters;
    if (k < 2)
        return VP_OK;
    float *cosines = window_labels_cosines(partition);
    double *scores = calloc(n * k, sizeof *scores), *cost = calloc(n, sizeof *cost);
    size_t *labels = calloc(n, sizeof *labels);
    enum vp_status status = VP_OK;
    if (cosines == NULL || scores == NULL || cost == NULL || labels == NULL) {
        status = status_no_memory(err, "the labels", n * k * sizeof *scores);
        goto out;
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t c = 0; c < k; c++)
            scores[i * k + c] = (double)cosines[i * k + c];
        if (i > 0)
            cost[i] = windows[i].segment == windows[i - 1].segment ? CHANGE_WITHIN : CHANGE_ACROSS;
    }
    status = viterbi(scores, cost, n, k, labels, err);
    if (status == VP_OK)
        partition_set(partition, labels);
out:
    free(cosines);
    free(scores);
    free(cost);
    free(labels);
    return status;
}

/* How much nearer a window is to its own cluster than to the next one, against what it would be
 * right on the cluster's direction: 0..1. */
static double confidence(const struct partition *partition, const float *cosines, size_t i,
                         const double *between)
{
    const size_t k = partition->n_clusters, own = partition->labels[i];
    size_t next = own == 0 ? 1 : 0;
    for (size_t c = 0; c < k; c++)
        if (c != own && cosines[i * k + c] > cosines[i * k + next])
            next = c;
    const double margin = (double)cosines[i * k + own] - (double)cosines[i * k + next];
    const double most = 1.0 - between[own * k + next];
    return most > 1e-6 ? fmin(fmax(margin / most, 0.0), 1.0) : 0.0;
}

static double middle_s(const struct window *window)
{
    return 0.5 * (double)(window->first + window->end) / FRAMES_A_SECOND;
}

/* Where the part of window i ends, or that of window i + 1 begins. */
static double border_s(const struct window *windows, size_t n, size_t i,
                       const struct segment *segment)
{
    if (i + 1 == n || windows[i + 1].segment != windows[i].segment)
        return segment->end_s;
    return 0.5 * (middle_s(&windows[i]) + middle_s(&windows[i + 1]));
}

/* Cosines between the directions, [n_clusters, n_clusters], owned; NULL without memory. */
static double *between_of(const struct partition *partition)
{
    const size_t k = partition->n_clusters, dim = partition->dim;
    double *between = calloc(k * k, sizeof *between);
    if (between == NULL)
        return NULL;
    for (size_t a = 0; a < k; a++)
        for (size_t b = 0; b < k; b++)
            between[a * k + b] = (double)cblas_sdot((int)dim, partition->sums + a * dim, 1,
                                                    partition->sums + b * dim, 1) /
                                 (partition->lengths[a] * partition->lengths[b]);
    return between;
}

enum vp_status window_labels_turns(const struct partition *partition, const struct window *windows,
                                   const struct segments *segments, struct turns *out,
                                   struct vp_err *err)
{
    float *cosines = window_labels_cosines(partition);
    double *between = between_of(partition);
    enum vp_status status = VP_OK;
    if (cosines == NULL || between == NULL)
        status = status_no_memory(err, "the labels",
                                  partition->n * partition->n_clusters * sizeof *cosines);
    double start_s = 0.0;
    for (size_t i = 0; i < partition->n && status == VP_OK; i++) {
        const struct segment *segment = &segments->list[windows[i].segment];
        if (i == 0 || windows[i].segment != windows[i - 1].segment)
            start_s = segment->start_s;
        const double end_s = border_s(windows, partition->n, i, segment);
        status = turns_add(out,
                           &(struct vp_turn){
                               .start_s = start_s,
                               .end_s = end_s,
                               .speaker = (unsigned)partition->labels[i],
                               .confidence = partition->n_clusters > 1
                                                 ? confidence(partition, cosines, i, between)
                                                 : -1.0,
                           },
                           err);
        start_s = end_s;
    }
    free(cosines);
    free(between);
    return status;
}
