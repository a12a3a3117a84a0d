/*
 * L2 norm, cosine, averaging, calibration; sums in double.
 *
 *   cosine(a, b)  = sum a_i b_i                      for unit vectors
 *   side          = normalise(mean of unit vectors)
 *   coherence     = mean of cosine over all pairs    = (|sum|^2 - n) / (n (n - 1))
 *   llr           = slope * cosine + offset          natural log
 *   p             = 1 / (1 + exp(-llr))              at even prior odds
 */
#include "voice/score.h"

#include <math.h>

/* Below this L2 norm nothing is left of a direction in float32. Published weights: near 1. */
static const double smallest_norm = 1e-6;
/* Spread about the mean, relative to the norm, below which a vector says nothing. */
static const double smallest_spread = 1e-4;

static bool all_finite(const float *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(values[i]))
            return false;
    return true;
}

static double l2_norm(const float *values, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)values[i] * (double)values[i];
    return sqrt(sum);
}

enum vp_status score_judge(const float *embedding, size_t dim, double *norm, struct vp_err *err)
{
    if (!all_finite(embedding, dim))
        return status_fail(err, VP_ERR_INFERENCE,
                           "the network's output has a value that is not finite");
    *norm = l2_norm(embedding, dim);
    if (*norm < smallest_norm)
        return status_fail(err, VP_ERR_INFERENCE, "the network's output is zero (norm %g)", *norm);
    double mean = 0, spread = 0;
    for (size_t i = 0; i < dim; i++)
        mean += (double)embedding[i];
    mean /= (double)dim;
    for (size_t i = 0; i < dim; i++)
        spread += ((double)embedding[i] - mean) * ((double)embedding[i] - mean);
    if (sqrt(spread) < smallest_spread * *norm)
        return status_fail(err, VP_ERR_INFERENCE, "the network's output is constant (%g)", mean);
    return VP_OK;
}

enum vp_status vp_embedding_normalize(float *embedding, size_t dim, double *norm,
                                      struct vp_err *err)
{
    if (!all_finite(embedding, dim))
        return status_fail(err, VP_ERR_ARGUMENT, "the embedding has a value that is not finite");
    double length = l2_norm(embedding, dim);
    if (norm != NULL)
        *norm = length;
    if (length < smallest_norm)
        return status_fail(err, VP_ERR_ARGUMENT, "the embedding is zero (norm %g)", length);
    for (size_t i = 0; i < dim; i++)
        embedding[i] = (float)((double)embedding[i] / length);
    return VP_OK;
}

enum vp_status vp_embedding_average(const float *embeddings, size_t n, size_t dim, float *out,
                                    double *coherence, struct vp_err *err)
{
    if (n == 0)
        return status_fail(err, VP_ERR_ARGUMENT, "no embedding to average");
    for (size_t i = 0; i < n; i++) {
        double length = l2_norm(embeddings + i * dim, dim);
        if (!(fabs(length - 1.0) < 1e-3))
            return status_fail(err, VP_ERR_ARGUMENT,
                               "embedding %zu is not normalised (norm %g): normalise it first", i,
                               length);
    }
    double sum_squared = 0;
    for (size_t d = 0; d < dim; d++) {
        double sum = 0;
        for (size_t i = 0; i < n; i++)
            sum += (double)embeddings[i * dim + d];
        sum_squared += sum * sum;
        out[d] = (float)(sum / (double)n);
    }
    double pairs = (double)n * ((double)n - 1);
    *coherence = n == 1 ? 1.0 : fmax(-1.0, fmin(1.0, (sum_squared - (double)n) / pairs));
    return vp_embedding_normalize(out, dim, NULL, err);
}

double vp_cosine(const float *a, const float *b, size_t dim)
{
    double sum = 0;
    for (size_t i = 0; i < dim; i++)
        sum += (double)a[i] * (double)b[i];
    return fmax(-1.0, fmin(1.0, sum));
}

void vp_calibrate(double slope, double offset, double cosine, double *llr, double *p)
{
    *llr = slope * cosine + offset;
    *p = 1.0 / (1.0 + exp(-*llr));
}
