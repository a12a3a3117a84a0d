/* A chain of ever nearer neighbours; two that are each other's nearest are merged. */
#include "cluster/linkage.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct tree {
    size_t n, dim;
    float *sums;     /* owned, [n, dim] of the cluster in each slot */
    double *sizes;   /* owned, [n]; 0: the slot's cluster went into another */
    double *cosines; /* owned, [n]: of one cluster with all others */
    float *dots;     /* owned, [n] */
    size_t *chain;   /* owned, [n], slots */
    size_t *ids;     /* owned, [n], point or cluster number of the slot */
};

static void tree_clear(struct tree *tree)
{
    free(tree->sums);
    free(tree->sizes);
    free(tree->cosines);
    free(tree->dots);
    free(tree->chain);
    free(tree->ids);
}

static enum vp_status tree_init(struct tree *tree, const float *vectors, size_t n, size_t dim,
                                struct vp_err *err)
{
    *tree = (struct tree){.n = n, .dim = dim};
    size_t n_values;
    if (!size_multiply(n, dim, &n_values) || n_values > SIZE_MAX / sizeof(float))
        return status_no_memory(err, "a tree of clusters", SIZE_MAX);
    tree->sums = malloc(n_values * sizeof(float));
    tree->sizes = calloc(n, sizeof(double));
    tree->cosines = calloc(n, sizeof(double));
    tree->dots = calloc(n, sizeof(float));
    tree->chain = calloc(n, sizeof(size_t));
    tree->ids = calloc(n, sizeof(size_t));
    if (tree->sums == NULL || tree->sizes == NULL || tree->cosines == NULL || tree->dots == NULL ||
        tree->chain == NULL || tree->ids == NULL)
        return status_no_memory(err, "a tree of clusters", n_values * sizeof(float));
    memcpy(tree->sums, vectors, n_values * sizeof(float));
    for (size_t i = 0; i < n; i++) {
        tree->sizes[i] = 1.0;
        tree->ids[i] = i;
    }
    return VP_OK;
}

/* The cluster most similar to that of slot; among equals the one before it in the chain, so that
 * the chain ends, else the lowest slot. */
static size_t nearest(struct tree *tree, size_t slot, size_t before, double *similarity)
{
    cblas_sgemv(CblasRowMajor, CblasNoTrans, (int)tree->n, (int)tree->dim, 1.0F, tree->sums,
                (int)tree->dim, tree->sums + slot * tree->dim, 1, 0.0F, tree->dots, 1);
    size_t best = SIZE_MAX;
    *similarity = -INFINITY;
    for (size_t i = 0; i < tree->n; i++) {
        if (i == slot || tree->sizes[i] == 0.0)
            continue;
        const double cosine = (double)tree->dots[i] / (tree->sizes[i] * tree->sizes[slot]);
        if (cosine > *similarity || (cosine >= *similarity && i == before)) {
            *similarity = cosine;
            best = i;
        }
    }
    return best;
}

/* b goes into a's slot. */
static void join(struct tree *tree, size_t a, size_t b)
{
    cblas_saxpy((int)tree->dim, 1.0F, tree->sums + b * tree->dim, 1, tree->sums + a * tree->dim, 1);
    memset(tree->sums + b * tree->dim, 0, tree->dim * sizeof(float));
    tree->sizes[a] += tree->sizes[b];
    tree->sizes[b] = 0.0;
}

/* Merges as the chain meets them: by slots, in no order. */
static void run_chain(struct tree *tree, struct linkage_merge *merges)
{
    size_t n_chain = 0, n_merges = 0, start = 0;
    while (n_merges + 1 < tree->n) {
        if (n_chain == 0) {
            while (tree->sizes[start] == 0.0)
                start++;
            tree->chain[n_chain++] = start;
        }
        const size_t top = tree->chain[n_chain - 1];
        const size_t before = n_chain > 1 ? tree->chain[n_chain - 2] : SIZE_MAX;
        double similarity;
        const size_t next = nearest(tree, top, before, &similarity);
        if (next != before) {
            tree->chain[n_chain++] = next;
            continue;
        }
        n_chain -= 2;
        const size_t a = top < before ? top : before, b = top < before ? before : top;
        merges[n_merges++] = (struct linkage_merge){.a = a, .b = b, .similarity = similarity};
        join(tree, a, b);
    }
}

static int by_similarity(const void *a, const void *b)
{
    const struct linkage_merge *x = a, *y = b;
    if (x->similarity != y->similarity)
        return x->similarity > y->similarity ? -1 : 1;
    return x->a != y->a ? (x->a < y->a ? -1 : 1) : x->b < y->b ? -1 : x->b > y->b;
}

static size_t find(size_t *parents, size_t i)
{
    while (parents[i] != i)
        i = parents[i] = parents[parents[i]];
    return i;
}

/* Slots become numbers of clusters: the slot of a cluster is that of its lowest point. */
static void number_merges(struct tree *tree, struct linkage_merge *merges)
{
    size_t *parents = tree->chain;
    for (size_t i = 0; i < tree->n; i++) {
        parents[i] = i;
        tree->ids[i] = i;
    }
    for (size_t i = 0; i + 1 < tree->n; i++) {
        const size_t x = find(parents, merges[i].a), y = find(parents, merges[i].b);
        const size_t p = tree->ids[x], q = tree->ids[y];
        merges[i].a = p < q ? p : q;
        merges[i].b = p < q ? q : p;
        parents[y] = x;
        tree->ids[x] = tree->n + i;
    }
}

enum vp_status linkage_average(const float *vectors, size_t n, size_t dim,
                               struct linkage_merge *merges, struct vp_err *err)
{
    struct tree tree;
    enum vp_status status = tree_init(&tree, vectors, n, dim, err);
    if (status == VP_OK) {
        run_chain(&tree, merges);
        qsort(merges, n - 1, sizeof *merges, by_similarity);
        number_merges(&tree, merges);
    }
    tree_clear(&tree);
    return status;
}

enum vp_status linkage_cut(const struct linkage_merge *merges, size_t n, size_t n_clusters,
                           size_t *labels, struct vp_err *err)
{
    /* of points and clusters: the parent [2n], and the label of each root [2n] */
    size_t *parents = malloc(4 * n * sizeof *parents);
    if (parents == NULL)
        return status_no_memory(err, "a cut of a tree", 4 * n * sizeof *parents);
    size_t *label_of = parents + 2 * n, n_labels = 0;
    for (size_t i = 0; i < 2 * n; i++) {
        parents[i] = i;
        label_of[i] = SIZE_MAX;
    }
    for (size_t i = 0; i < n - n_clusters; i++)
        parents[merges[i].a] = parents[merges[i].b] = n + i;
    for (size_t i = 0; i < n; i++) {
        const size_t root = find(parents, i);
        if (label_of[root] == SIZE_MAX)
            label_of[root] = n_labels++;
        labels[i] = label_of[root];
    }
    free(parents);
    return VP_OK;
}
