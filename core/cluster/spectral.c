/* The affinity in double, its eigenpairs by LAPACK's dsyevr, which comes with the BLAS. */
#include "cluster/spectral.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Fortran: arguments by address, hidden string lengths last; only the columns asked for. */
extern void dsyevr_(const char *jobz, const char *range, const char *uplo, const int *n, double *a,
                    const int *lda, const double *vl, const double *vu, const int *il,
                    const int *iu, const double *abstol, int *m, double *w, double *z,
                    const int *ldz, int *isuppz, double *work, const int *lwork, int *iwork,
                    const int *liwork, int *info, size_t, size_t, size_t);

/* The value of rank m (0: the largest) among values [n], which are put out of order. */
static float select_rank(float *values, size_t n, size_t m)
{
    size_t low = 0, high = n - 1;
    while (low < high) { /* Hoare's quickselect, falling order */
        const float pivot = values[low + (high - low) / 2];
        size_t i = low, j = high;
        for (;;) {
            while (values[i] > pivot)
                i++;
            while (values[j] < pivot)
                j--;
            if (i >= j)
                break;
            const float swapped = values[i];
            values[i++] = values[j];
            values[j--] = swapped;
        }
        const size_t split = values[j] < pivot ? j - 1 : j;
        if (m <= split)
            high = split;
        else
            low = split + 1;
    }
    return values[m];
}

/* row [n]: all but the m largest become 0, of equal ones the first stay; then the diagonal and
 * what is negative. */
static void prune_row(float *row, size_t n, size_t m, size_t diagonal, float *work)
{
    if (m < n) {
        memcpy(work, row, n * sizeof *row);
        const float least = select_rank(work, n, m - 1);
        size_t room = m;
        for (size_t i = 0; i < n; i++)
            room -= row[i] > least;
        for (size_t i = 0; i < n; i++) {
            if (row[i] < least || (row[i] <= least && room == 0))
                row[i] = 0.0F;
            else if (row[i] <= least)
                room--;
        }
    }
    row[diagonal] = 0.0F;
    for (size_t i = 0; i < n; i++)
        row[i] = fmaxf(row[i], 0.0F);
}

static size_t n_kept(size_t n)
{
    const size_t share = (size_t)(SPECTRAL_KEEP * (double)n);
    return share < SPECTRAL_LEAST ? SPECTRAL_LEAST : share > SPECTRAL_MOST ? SPECTRAL_MOST : share;
}

/* affinity [n, n] -> its Laplacian [n, n] */
static void make_laplacian(const float *affinity, size_t n, double *laplacian)
{
    for (size_t i = 0; i < n; i++) {
        double degree = 0.0;
        for (size_t j = 0; j < n; j++) {
            const double a = 0.5 * ((double)affinity[i * n + j] + (double)affinity[j * n + i]);
            laplacian[i * n + j] = -a;
            degree += a;
        }
        laplacian[i * n + i] = degree;
    }
}

/* The n_pairs smallest eigenpairs of a symmetric matrix [n, n], which is used up. */
static enum vp_status solve(double *matrix, size_t n, size_t n_pairs, double *eigenvalues,
                            double *embedding, struct vp_err *err)
{
    const int order = (int)n, first = 1, last = (int)n_pairs, n_work = 26 * order,
              n_iwork = 10 * order;
    const double unused = 0.0, tolerance = 0.0;
    int found = 0, info = 0;
    double *values = calloc(n, sizeof *values);
    double *vectors = calloc(n * n_pairs, sizeof *vectors); /* column by column */
    double *work = calloc((size_t)n_work, sizeof *work);
    int *support = calloc(2 * n, sizeof *support), *iwork = calloc((size_t)n_iwork, sizeof *iwork);
    enum vp_status status = VP_OK;
    if (values == NULL || vectors == NULL || work == NULL || support == NULL || iwork == NULL) {
        status = status_no_memory(err, "eigenvectors", n * n_pairs * sizeof *vectors);
        goto out;
    }
    dsyevr_("V", "I", "U", &order, matrix, &order, &unused, &unused, &first, &last, &tolerance,
            &found, values, vectors, &order, support, work, &n_work, iwork, &n_iwork, &info, 1, 1,
            1);
    if (info != 0 || found != last) {
        status = status_fail(err, VP_ERR_INFERENCE, "no eigenvectors of %zu voices (LAPACK %d)", n,
                             info);
        goto out;
    }
    memcpy(eigenvalues, values, n_pairs * sizeof *values);
    for (size_t i = 0; i < n; i++)
        for (size_t p = 0; p < n_pairs; p++)
            embedding[i * n_pairs + p] = vectors[p * n + i];
out:
    free(values);
    free(vectors);
    free(work);
    free(support);
    free(iwork);
    return status;
}

enum vp_status spectral_embed(const float *vectors, size_t n, size_t dim, size_t n_pairs,
                              double *eigenvalues, double *embedding, struct vp_err *err)
{
    size_t n_values;
    if (!size_multiply(n, n, &n_values) || n_values > SIZE_MAX / sizeof(double) || n > 20000u)
        return status_no_memory(err, "an affinity matrix", SIZE_MAX);
    float *affinity = malloc((n_values + n) * sizeof *affinity);
    double *laplacian = malloc(n_values * sizeof *laplacian);
    enum vp_status status = VP_OK;
    if (affinity == NULL || laplacian == NULL) {
        status = status_no_memory(err, "an affinity matrix", n_values * sizeof *laplacian);
        goto out;
    }
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)n, (int)n, (int)dim, 1.0F, vectors,
                (int)dim, vectors, (int)dim, 0.0F, affinity, (int)n);
    for (size_t i = 0; i < n; i++)
        prune_row(affinity + i * n, n, n_kept(n), i, affinity + n_values);
    make_laplacian(affinity, n, laplacian);
    status = solve(laplacian, n, n_pairs, eigenvalues, embedding, err);
out:
    free(affinity);
    free(laplacian);
    return status;
}

size_t spectral_count(const double *eigenvalues, size_t most)
{
    size_t best = 1;
    for (size_t k = 2; k <= most; k++)
        if (eigenvalues[k] - eigenvalues[k - 1] > eigenvalues[best] - eigenvalues[best - 1])
            best = k;
    return best;
}
