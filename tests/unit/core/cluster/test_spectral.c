/* The spectral embedding against Jacobi's rotations on a Laplacian made by the definition. */
#include "unit.h"

#include <cblas.h>
#include <math.h>

#include "cluster/spectral.h"

#define MOST 40
#define DIM  9

static float vectors[MOST * DIM];
static double laplacian[MOST][MOST], values[MOST];

static double draw(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return (double)(*state >> 8) / (double)(1u << 24) - 0.5;
}

static void fill(size_t n, size_t n_voices, double noise, uint32_t seed)
{
    for (size_t i = 0; i < n; i++) {
        double x[DIM], length = 0.0;
        for (size_t d = 0; d < DIM; d++) {
            x[d] = (d == i % n_voices ? 1.0 : 0.1) + noise * draw(&seed);
            length += x[d] * x[d];
        }
        for (size_t d = 0; d < DIM; d++)
            vectors[i * DIM + d] = (float)(x[d] / sqrt(length));
    }
}

static float cosine(size_t i, size_t j)
{
    float sum = 0.0F;
    for (size_t d = 0; d < DIM; d++)
        sum += vectors[i * DIM + d] * vectors[j * DIM + d];
    return sum;
}

/* In row i, is the value of j among the m largest? Of equal ones the first. */
static bool kept(size_t n, size_t i, size_t j, size_t m)
{
    size_t larger = 0;
    for (size_t k = 0; k < n; k++)
        larger += cosine(i, k) > cosine(i, j) || (cosine(i, k) == cosine(i, j) && k < j);
    return larger < m;
}

static void make_laplacian(size_t n)
{
    const size_t share = (size_t)(SPECTRAL_KEEP * (double)n);
    const size_t m = share > SPECTRAL_LEAST ? share : SPECTRAL_LEAST;
    memset(laplacian, 0, sizeof laplacian);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            if (i != j && kept(n, i, j, m) && cosine(i, j) > 0.0F) {
                const double half = 0.5 * (double)cosine(i, j);
                laplacian[i][j] -= half;
                laplacian[j][i] -= half;
                laplacian[i][i] += half;
                laplacian[j][j] += half;
            }
}

static int rising(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Eigenvalues of the Laplacian, which is used up, by cyclic Jacobi rotations. */
static void jacobi(size_t n)
{
    for (size_t sweep = 0; sweep < 60; sweep++)
        for (size_t p = 0; p < n; p++)
            for (size_t q = p + 1; q < n; q++) {
                if (fabs(laplacian[p][q]) < 1e-15)
                    continue;
                const double theta = (laplacian[q][q] - laplacian[p][p]) / (2 * laplacian[p][q]);
                const double t =
                    (theta >= 0 ? 1.0 : -1.0) / (fabs(theta) + sqrt(theta * theta + 1.0));
                const double c = 1.0 / sqrt(t * t + 1.0), s = t * c;
                for (size_t k = 0; k < n; k++) {
                    const double a = laplacian[k][p], b = laplacian[k][q];
                    laplacian[k][p] = c * a - s * b;
                    laplacian[k][q] = s * a + c * b;
                }
                for (size_t k = 0; k < n; k++) {
                    const double a = laplacian[p][k], b = laplacian[q][k];
                    laplacian[p][k] = c * a - s * b;
                    laplacian[q][k] = s * a + c * b;
                }
            }
    for (size_t i = 0; i < n; i++)
        values[i] = laplacian[i][i];
    qsort(values, n, sizeof *values, rising);
}

static void eigenpairs_are_those_of_the_laplacian(void **state)
{
    (void)state;
    static const size_t sizes[] = {2, 5, 7, 24, 39};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        const size_t n = sizes[s], n_pairs = n < 6 ? n : 6;
        double found[MOST], embedding[MOST * MOST];
        fill(n, 3, 0.6, (uint32_t)n);
        make_laplacian(n);
        assert_int_equal(spectral_embed(vectors, n, DIM, n_pairs, found, embedding, NULL), VP_OK);
        for (size_t p = 0; p < n_pairs; p++) {
            double length = 0.0;
            for (size_t i = 0; i < n; i++) {
                double product = 0.0;
                for (size_t j = 0; j < n; j++)
                    product += laplacian[i][j] * embedding[j * n_pairs + p];
                assert_true(fabs(product - found[p] * embedding[i * n_pairs + p]) < 1e-6);
                length += embedding[i * n_pairs + p] * embedding[i * n_pairs + p];
            }
            assert_true(fabs(length - 1.0) < 1e-9);
        }
        jacobi(n);
        for (size_t p = 0; p < n_pairs; p++)
            assert_true(fabs(found[p] - values[p]) < 1e-6);
    }
}

static void the_gap_counts_the_voices(void **state)
{
    (void)state;
    for (size_t n_voices = 1; n_voices <= 4; n_voices++) {
        double found[9], embedding[MOST * 9];
        fill(MOST, n_voices, 0.1, 3);
        assert_int_equal(spectral_embed(vectors, MOST, DIM, 9, found, embedding, NULL), VP_OK);
        assert_int_equal(spectral_count(found, 8), n_voices);
    }
}

static void the_same_bits_each_time(void **state)
{
    (void)state;
    double a[6], b[6], first[MOST * 6], second[MOST * 6];
    fill(MOST, 3, 0.6, 11);
    assert_int_equal(spectral_embed(vectors, MOST, DIM, 6, a, first, NULL), VP_OK);
    assert_int_equal(spectral_embed(vectors, MOST, DIM, 6, b, second, NULL), VP_OK);
    assert_memory_equal(a, b, sizeof a);
    assert_memory_equal(first, second, sizeof first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eigenpairs_are_those_of_the_laplacian),
        cmocka_unit_test(the_gap_counts_the_voices),
        cmocka_unit_test(the_same_bits_each_time),
    };
    openblas_set_num_threads(1); /* as vp_model_open does */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
