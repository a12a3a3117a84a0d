/* Real Fourier transform: a checked coat over kissfft's. */
#include "rfft.h"

#include <kiss_fftr.h>
#include <limits.h>
#include <stdlib.h>

_Static_assert(sizeof(kiss_fft_cpx) == sizeof(struct rfft_bin), "kissfft must be built for float");
_Static_assert(sizeof(kiss_fft_scalar) == sizeof(float), "kissfft must be built for float");

struct rfft {
    size_t n;
    kiss_fftr_cfg cfg; /* owned */
};

enum vp_status rfft_new(size_t n, struct rfft **out, struct vp_err *err)
{
    *out = NULL;
    if (n < 2 || n % 2 != 0 || n > INT_MAX / 2) /* kissfft counts in int */
        return status_fail(err, VP_ERR_ARGUMENT, "an FFT of %zu points: not an even size", n);
    struct rfft *rfft = calloc(1, sizeof *rfft);
    if (rfft == NULL)
        return status_no_memory(err, "the FFT", sizeof *rfft);
    rfft->n = n;
    rfft->cfg = kiss_fftr_alloc((int)n, 0, NULL, NULL);
    if (rfft->cfg == NULL) {
        free(rfft);
        return status_no_memory(err, "the FFT", n * sizeof(float));
    }
    *out = rfft;
    return VP_OK;
}

void rfft_free(struct rfft *rfft)
{
    if (rfft != NULL)
        kiss_fftr_free(rfft->cfg);
    free(rfft);
}

void rfft_forward(struct rfft *rfft, const float *restrict signal,
                  struct rfft_bin *restrict spectrum)
{
    kiss_fftr(rfft->cfg, signal, (kiss_fft_cpx *)(void *)spectrum);
}
