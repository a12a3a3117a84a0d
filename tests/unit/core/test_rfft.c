/* The real FFT against a plain DFT in double. */
#include "unit.h"

#include <math.h>

#include "rfft.h"

#define N_MAX 1000

/* Signal-to-error ratio in dB of the spectrum of pseudo-random noise. */
static double snr_db(size_t n)
{
    static float signal[N_MAX];
    static struct rfft_bin spectrum[N_MAX / 2 + 1];
    uint32_t seed = (uint32_t)n;
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        signal[i] = (float)(seed >> 8) / (float)(1 << 23) - 1.0F;
    }
    struct rfft *rfft = NULL;
    struct vp_err err;
    assert_int_equal(rfft_new(n, &rfft, &err), VP_OK);
    rfft_forward(rfft, signal, spectrum);
    rfft_free(rfft);

    double power = 0.0, error = 0.0;
    for (size_t k = 0; k <= n / 2; k++) {
        double re = 0.0, im = 0.0;
        for (size_t i = 0; i < n; i++) {
            const double angle = -2.0 * 3.14159265358979323846 * (double)(k * i % n) / (double)n;
            re += (double)signal[i] * cos(angle);
            im += (double)signal[i] * sin(angle);
        }
        power += re * re + im * im;
        error += pow((double)spectrum[k].re - re, 2) + pow((double)spectrum[k].im - im, 2);
    }
    return 10.0 * log10(power / error);
}

static void spectrum_is_that_of_a_plain_dft(void **state)
{
    (void)state;
    static const size_t sizes[] = {2, 4, 6, 10, 64, 250, 512, 1000};
    /* float has 24 bits, 144 dB; an FFT loses a little in each of its log2(n) passes */
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        assert_true(snr_db(sizes[i]) > 130.0);
}

static void odd_and_absurd_sizes_are_refused(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 511, SIZE_MAX - 1};
    for (size_t i = 0; i < 4; i++) {
        struct rfft *rfft = NULL;
        struct vp_err err;
        assert_int_equal(rfft_new(sizes[i], &rfft, &err), VP_ERR_ARGUMENT);
        assert_null(rfft);
        assert_int_equal(err.status, VP_ERR_ARGUMENT);
    }
    rfft_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spectrum_is_that_of_a_plain_dft),
        cmocka_unit_test(odd_and_absurd_sizes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
