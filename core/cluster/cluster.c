/* The steps of clustering in their order; each has a file of its own. */
#include "cluster/cluster.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/kmeans.h"
#include "cluster/linkage.h"
#include "cluster/spectral.h"

/* The numbers below were chosen by hand on the labelled conversations of docs/diarization.md, all
 * three sets in view. */
#define FEWEST_POINTS 4u /* fewer are one speaker, unless more are wanted */
/* A speaker has so many windows at least: three in a recording of some seconds, five in one of half
 * a minute, then a share of all. */
#define LEAST_FEW   3u
#define LEAST_MANY  5u
#define ONE_IN      8u
#define LEAST_SHARE 0.02
/* Looked for: so many voices always, more where so many points stand behind each. */
#define FEW_VOICES     8u
#define POINTS_A_VOICE 12u
/* A few windows that are like no other may be all that the first clusters hold: they go to the
 * others, and so many clusters are tried until two are left. */
#define TRIED_CLUSTERS 5u
/* Merging the last two needs a higher similarity: who asks who spoke when has usually heard more
 * than one speaker. Lower where one of them is a few windows, which may be noise. */
#define LAST_PAIR     0.1
#define LAST_PAIR_FEW (-0.05)
#define MANY_WINDOWS  8.0

struct cluster {
    struct partition windows; /* all of them */
    struct cluster_rules rules;
    size_t n_blocks, n_blocks_done;
    size_t n_points;  /* groups so far */
    float *points;    /* owned, [n_blocks * share, dim], of norm 1; NULL: the windows themselves */
    double *weights;  /* owned, windows of each group */
    size_t *group_of; /* owned, [n], group of each window */
};

static size_t groups_of_block(const struct cluster *cluster)
{
    return CLUSTER_MOST / cluster->n_blocks;
}

enum vp_status cluster_new(const float *vectors, size_t n, size_t dim,
                           const struct cluster_rules *rules, struct cluster **out,
                           struct vp_err *err)
{
    *out = NULL;
    struct cluster *cluster = calloc(1, sizeof *cluster);
    if (cluster == NULL)
        return status_no_memory(err, "clusters", sizeof *cluster);
    cluster->rules = *rules;
    cluster->n_blocks = n <= CLUSTER_MOST ? 0 : (n + CLUSTER_MOST - 1) / CLUSTER_MOST;
    enum vp_status status =
        partition_init(&cluster->windows, vectors, n, dim, rules->max_clusters + 1, err);
    const size_t most = n <= CLUSTER_MOST ? n : CLUSTER_MOST;
    cluster->group_of = calloc(n, sizeof(size_t));
    cluster->weights = calloc(most, sizeof(double));
    if (cluster->n_blocks > 0)
        cluster->points = calloc(most * dim, sizeof(float));
    if (status == VP_OK && (cluster->group_of == NULL || cluster->weights == NULL ||
                            (cluster->n_blocks > 0 && cluster->points == NULL)))
        status = status_no_memory(err, "clusters", n * sizeof(size_t));
    if (status == VP_OK)
        *out = cluster;
    else
        cluster_free(cluster);
    return status;
}

void cluster_free(struct cluster *cluster)
{
    if (cluster == NULL)
        return;
    partition_clear(&cluster->windows);
    free(cluster->points);
    free(cluster->weights);
    free(cluster->group_of);
    free(cluster);
}

/* ---- groups of nearly the same voice, where there are too many windows ----------------------- */

/* Writes the groups of one block behind those that are there. labels [n]: of its windows. */
static enum vp_status add_groups(struct cluster *cluster, size_t first, size_t n,
                                 const size_t *labels, size_t n_groups, struct vp_err *err)
{
    const size_t dim = cluster->windows.dim;
    float *points = cluster->points + cluster->n_points * dim;
    for (size_t i = 0; i < n; i++) {
        const float *x = cluster->windows.vectors + (first + i) * dim;
        for (size_t d = 0; d < dim; d++)
            points[labels[i] * dim + d] += x[d];
        cluster->group_of[first + i] = cluster->n_points + labels[i];
        cluster->weights[cluster->n_points + labels[i]] += 1.0;
    }
    cluster->n_points += n_groups;
    enum vp_status status = VP_OK;
    for (size_t g = 0; g < n_groups && status == VP_OK; g++)
        status = vp_embedding_normalize(points + g * dim, dim, NULL, err);
    return status;
}

static enum vp_status reduce_block(struct cluster *cluster, struct vp_err *err)
{
    const size_t n_all = cluster->windows.n, block = cluster->n_blocks_done++;
    const size_t first = block * n_all / cluster->n_blocks;
    const size_t n = (block + 1) * n_all / cluster->n_blocks - first;
    const size_t n_groups = groups_of_block(cluster) < n ? groups_of_block(cluster) : n;
    struct linkage_merge *merges = malloc(n * sizeof *merges);
    size_t *labels = malloc(n * sizeof *labels);
    enum vp_status status = VP_OK;
    if (merges == NULL || labels == NULL)
        status = status_no_memory(err, "a block of windows", n * sizeof *merges);
    if (status == VP_OK)
        status = linkage_average(cluster->windows.vectors + first * cluster->windows.dim, n,
                                 cluster->windows.dim, merges, err);
    if (status == VP_OK)
        status = linkage_cut(merges, n, n_groups, labels, err);
    if (status == VP_OK)
        status = add_groups(cluster, first, n, labels, n_groups, err);
    free(merges);
    free(labels);
    return status;
}

/* ---- clusters -------------------------------------------------------------------------------- */

static size_t clamp(size_t value, size_t low, size_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* Clusters to begin with: one more than the eigengap says where it says several. A split speaker is
 * merged later; merged speakers never separate. */
static size_t count_clusters(const double *eigenvalues, size_t n_pairs, size_t n)
{
    size_t most = n / POINTS_A_VOICE > FEW_VOICES ? n / POINTS_A_VOICE : FEW_VOICES;
    if (most > n_pairs - 1)
        most = n_pairs - 1;
    const size_t counted = most > 0 ? spectral_count(eigenvalues, most) : 1;
    return counted == 1 ? 1 : clamp(counted + 1, 1, n / 2);
}

/* The eigenpairs of the points: row by row [n_points, n_pairs]. */
struct spectrum {
    size_t n_pairs;
    double *values;    /* owned, [n_pairs] */
    double *embedding; /* owned, [n_points, n_pairs] */
    double *columns;   /* owned, the first k of each row */
    size_t *labels;    /* owned, [n_points] */
};

static enum vp_status spectrum_make(const struct cluster *cluster, const float *points,
                                    struct spectrum *out, struct vp_err *err)
{
    const size_t n = cluster->n_points, most = clamp(cluster->rules.max_clusters + 1, 1, n);
    *out = (struct spectrum){.n_pairs = most + 1 < n ? most + 1 : n};
    out->values = calloc(out->n_pairs, sizeof(double));
    out->embedding = calloc(n * out->n_pairs, sizeof(double));
    out->columns = calloc(n * out->n_pairs, sizeof(double));
    out->labels = calloc(n, sizeof(size_t));
    if (out->values == NULL || out->embedding == NULL || out->columns == NULL ||
        out->labels == NULL)
        return status_no_memory(err, "a spectral embedding", 2 * n * out->n_pairs * sizeof(double));
    return spectral_embed(points, n, cluster->windows.dim, out->n_pairs, out->values,
                          out->embedding, err);
}

static void spectrum_clear(struct spectrum *spectrum)
{
    free(spectrum->values);
    free(spectrum->embedding);
    free(spectrum->columns);
    free(spectrum->labels);
}

/* Clusters too small to be a speaker go into the others. */
static void settle(struct partition *windows, size_t min_clusters)
{
    const size_t share = (size_t)ceil(LEAST_SHARE * (double)windows->n);
    const size_t few = clamp(windows->n / ONE_IN, LEAST_FEW, LEAST_MANY);
    const size_t least = share > few ? share : few;
    partition_repair(windows, least, min_clusters);
    partition_refine(windows, min_clusters);
    partition_repair(windows, least, min_clusters);
}

/* The points in k clusters, and what of these stands on all windows. */
static enum vp_status part(struct cluster *cluster, const struct spectrum *spectrum, size_t k,
                           struct vp_err *err)
{
    const size_t n = cluster->n_points;
    for (size_t i = 0; i < n; i++)
        memcpy(spectrum->columns + i * k, spectrum->embedding + i * spectrum->n_pairs,
               k * sizeof(double));
    enum vp_status status =
        kmeans(spectrum->columns, cluster->weights, n, k, k, spectrum->labels, err);
    if (status != VP_OK)
        return status;
    struct partition *windows = &cluster->windows;
    for (size_t i = 0; i < windows->n; i++)
        windows->labels[i] = spectrum->labels[cluster->group_of[i]];
    partition_set(windows, windows->labels);
    settle(windows, cluster->rules.min_clusters);
    return VP_OK;
}

/* Clusters as many as the eigenvalues say; more while all but one are too small to be a speaker. */
static enum vp_status part_until_two(struct cluster *cluster, const struct spectrum *spectrum,
                                     struct vp_err *err)
{
    const size_t n = cluster->n_points;
    const size_t most = clamp(cluster->rules.max_clusters + 1, 1, n);
    /* one more than are asked for takes up the windows that are like none of them */
    const size_t asked = cluster->rules.min_clusters > 1 ? cluster->rules.min_clusters + 1 : 2;
    size_t k = clamp(count_clusters(spectrum->values, spectrum->n_pairs, n),
                     asked < most ? asked : most, most);
    const size_t tried = clamp(n / LEAST_FEW, 1, TRIED_CLUSTERS < most ? TRIED_CLUSTERS : most);
    enum vp_status status = part(cluster, spectrum, k, err);
    while (status == VP_OK && cluster->windows.n_clusters < 2 && k < tried)
        status = part(cluster, spectrum, ++k, err);
    return status;
}

/* The similarity from which a and b are one speaker. */
static double enough(const struct partition *windows, double threshold, size_t a, size_t b)
{
    if (windows->n_clusters > 2)
        return threshold;
    const size_t *sizes = windows->sizes;
    const double fewer = (double)(sizes[a] < sizes[b] ? sizes[a] : sizes[b]);
    const double many = fmin(fewer / MANY_WINDOWS, 1.0);
    return threshold + LAST_PAIR_FEW + (LAST_PAIR - LAST_PAIR_FEW) * many;
}

/* Clusters of one voice become one. */
static void merge_alike(struct partition *windows, const struct cluster_rules *rules)
{
    while (windows->n_clusters > rules->min_clusters && windows->n_clusters > 1) {
        size_t a, b;
        const double alike = partition_most_alike(windows, &a, &b);
        if (windows->n_clusters <= rules->max_clusters &&
            alike < enough(windows, rules->threshold, a, b))
            return;
        partition_merge(windows, a, b);
        partition_refine(windows, rules->min_clusters);
    }
}

static enum vp_status divide(struct cluster *cluster, struct vp_err *err)
{
    struct partition *windows = &cluster->windows;
    const float *points = cluster->points;
    if (points == NULL) { /* each window is a point */
        points = windows->vectors;
        cluster->n_points = windows->n;
        for (size_t i = 0; i < windows->n; i++) {
            cluster->group_of[i] = i;
            cluster->weights[i] = 1.0;
        }
    }
    if (cluster->n_points < 2 || cluster->rules.max_clusters == 1 ||
        (cluster->n_points < FEWEST_POINTS && cluster->rules.min_clusters == 1))
        return VP_OK; /* one cluster, as it began */
    struct spectrum spectrum;
    enum vp_status status = spectrum_make(cluster, points, &spectrum, err);
    if (status == VP_OK)
        status = part_until_two(cluster, &spectrum, err);
    if (status == VP_OK)
        merge_alike(windows, &cluster->rules);
    spectrum_clear(&spectrum);
    return status;
}

enum vp_status cluster_step(struct cluster *cluster, bool *done, struct vp_err *err)
{
    *done = cluster->n_blocks_done == cluster->n_blocks;
    return *done ? divide(cluster, err) : reduce_block(cluster, err);
}

struct partition *cluster_result(struct cluster *cluster)
{
    return &cluster->windows;
}

size_t cluster_bytes(const struct cluster *cluster)
{
    const size_t n = cluster->windows.n, most = n < CLUSTER_MOST ? n : CLUSTER_MOST;
    return sizeof *cluster + 2 * n * sizeof(size_t) +
           (cluster->points != NULL ? most * cluster->windows.dim * sizeof(float) : 0);
}
