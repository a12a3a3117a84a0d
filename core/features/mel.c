/* Mel filter bank. All geometry in double; only the weights are rounded to float. */
#include "features/mel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double mel_of_hz(double hz)
{
    return 1127.0 * log(1.0 + hz / 700.0);
}

/* Weight of a point in the triangle that rises from left and falls to right; <= 0 outside. */
static double triangle(double mel, double left, double right)
{
    const double half = (right - left) / 2.0;
    return 1.0 - fabs(mel - (left + half)) / half;
}

enum vp_status mel_bank_init(struct mel_bank *bank, size_t n_mels, size_t n_fft, double rate_hz,
                             double low_hz, double high_hz, struct vp_err *err)
{
    memset(bank, 0, sizeof *bank);
    if (n_mels == 0 || n_mels > n_fft || n_fft > 1u << 20 || low_hz < 0 || low_hz >= high_hz ||
        high_hz > rate_hz / 2)
        return status_fail(err, VP_ERR_ARGUMENT,
                           "%zu mel bins from %g to %g Hz do not fit an FFT of %zu points", n_mels,
                           low_hz, high_hz, n_fft);
    const size_t n_spectrum = n_fft / 2 + 1;
    /* A bin lies inside two triangles at most. */
    bank->filters = calloc(n_mels, sizeof *bank->filters);
    bank->weights = calloc(2 * n_spectrum, sizeof *bank->weights);
    if (bank->filters == NULL || bank->weights == NULL) {
        mel_bank_free(bank);
        return status_no_memory(err, "the mel filters", 2 * n_spectrum * sizeof *bank->weights);
    }
    bank->n_mels = n_mels;

    const double low = mel_of_hz(low_hz);
    const double step = (mel_of_hz(high_hz) - low) / (double)(n_mels + 1);
    size_t n_weights = 0;
    for (size_t m = 0; m < n_mels; m++) {
        struct mel_filter *filter = &bank->filters[m];
        const double left = low + (double)m * step, right = low + (double)(m + 2) * step;
        filter->weights = bank->weights + n_weights;
        for (size_t k = 0; k < n_spectrum; k++) {
            const double mel = mel_of_hz(rate_hz * (double)k / (double)n_fft);
            if (mel <= left || mel >= right)
                continue;
            if (filter->n_bins == 0)
                filter->first_bin = k;
            filter->n_bins++;
            bank->weights[n_weights++] = (float)triangle(mel, left, right);
        }
        if (filter->n_bins == 0) {
            mel_bank_free(bank);
            return status_fail(err, VP_ERR_ARGUMENT,
                               "mel bin %zu of %zu is narrower than a bin of an FFT of %zu points",
                               m, n_mels, n_fft);
        }
    }
    return VP_OK;
}

void mel_bank_free(struct mel_bank *bank)
{
    free(bank->filters);
    free(bank->weights);
    memset(bank, 0, sizeof *bank);
}
