/* Sinc filters by two matrix products over folded samples. */
#include "segmentation/sinc.h"

#include "base/constants.h"
#include "segmentation/seg_kernel.h"

#include <cblas.h>
#include <math.h>

void sinc_taps(double low_hz, double band_hz, double even[SEG_TAPS], double odd[SEG_TAPS])
{
    const double low = 50 + fabs(low_hz);
    const double high = fmin(fmax(low + 50 + fabs(band_hz), 50), SAMPLE_RATE_HZ / 2);
    const double width = 2 * (high - low);
    even[SINC_HALF] = 1;
    odd[SINC_HALF] = 0;
    for (int k = 1; k <= SINC_HALF; k++) {
        const double n = 2 * PI * k / SAMPLE_RATE_HZ;
        const double window = 0.54 + 0.46 * cos(2 * PI * k / (SEG_TAPS - 1)) /* Hamming */;
        const double scale = window / (n / 2) / width;
        even[SINC_HALF + k] = even[SINC_HALF - k] = (sin(high * n) - sin(low * n)) * scale;
        odd[SINC_HALF + k] = (cos(low * n) - cos(high * n)) * scale;
        odd[SINC_HALF - k] = -odd[SINC_HALF + k];
    }
}

void sinc_place(struct sinc *sinc, const struct seg_net *net, struct arena *arena)
{
    sinc->n_filters = net->n_filters;
    sinc->n_row = SEG_PADDED(net->n_filters);
    sinc->even = arena_rows(arena, SINC_HALF + 1, net->n_filters / 2);
    sinc->odd = arena_rows(arena, SINC_HALF, net->n_filters / 2);
    sinc->gain = arena_floats(arena, sinc->n_row);
}

void sinc_fill(struct sinc *sinc, const struct seg_net *net)
{
    const size_t half = net->n_filters / 2;
    for (size_t f = 0; f < half; f++) {
        double even[SEG_TAPS], odd[SEG_TAPS], sum = 0;
        sinc_taps((double)net->low_hz[f], (double)net->band_hz[f], even, odd);
        for (size_t k = 0; k < SEG_TAPS; k++)
            sum += even[k];
        sinc->gain[f] = (float)sum; /* odd taps sum to 0 */
        for (size_t k = 0; k <= SINC_HALF; k++)
            sinc->even[k * half + f] = (float)even[SINC_HALF + k];
        for (size_t k = 1; k <= SINC_HALF; k++)
            sinc->odd[(k - 1) * half + f] = (float)odd[SINC_HALF + k];
    }
}

/* Sums [n, 126] and differences [n, 125] of mirrored samples. */
static void fold_samples(const float *samples, size_t n, float *sums, float *differences)
{
    for (size_t t = 0; t < n; t++) {
        const float *x = samples + t * SEG_STRIDE + SINC_HALF;
        float *s = sums + t * (SINC_HALF + 1), *d = differences + t * SINC_HALF;
        s[0] = x[0];
        for (ptrdiff_t k = 1; k <= SINC_HALF; k++) {
            s[k] = x[k] + x[-k];
            d[k - 1] = x[k] - x[-k];
        }
    }
}

void sinc_run(const struct sinc *sinc, const float *samples, size_t n_out, float *fold, float *out)
{
    const int half = (int)sinc->n_filters / 2, n_row = (int)sinc->n_row;
    float *differences = fold + SINC_BLOCK * (SINC_HALF + 1);
    for (size_t t = 0; t < n_out; t += SINC_BLOCK) {
        const size_t n = n_out - t < SINC_BLOCK ? n_out - t : SINC_BLOCK;
        float *rows = out + t * sinc->n_row;
        fold_samples(samples + t * SEG_STRIDE, n, fold, differences);
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)n, half, SINC_HALF + 1, 1.0F,
                    fold, SINC_HALF + 1, sinc->even, half, 0.0F, rows, n_row);
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)n, half, SINC_HALF, 1.0F,
                    differences, SINC_HALF, sinc->odd, half, 0.0F, rows + half, n_row);
        for (size_t i = 0; i < n; i++)
            for (size_t c = sinc->n_filters; c < sinc->n_row; c++)
                rows[i * sinc->n_row + c] = 0;
    }
}
