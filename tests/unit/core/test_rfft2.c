/* Two spectra at once against a plain DFT in double. */
#include "unit.h"

#include <math.h>

#include "rfft2.h"

#define PI 3.14159265358979323846

static struct rfft2_plan plan;
static pair signal[RFFT2_N], power[RFFT2_N_BINS];
static uint32_t seed = 3;

static double noise(void) /* uniform in [-1, 1) */
{
    seed = seed * 1664525u + 1013904223u;
    return (double)(seed >> 8) / (double)(1 << 23) - 1.0;
}

static double plain_amplitude(const double *x, size_t k)
{
    double re = 0.0, im = 0.0;
    for (size_t i = 0; i < RFFT2_N; i++) {
        const double angle = -2.0 * PI * (double)(k * i % RFFT2_N) / RFFT2_N;
        re += x[i] * cos(angle);
        im += x[i] * sin(angle);
    }
    return hypot(re, im);
}

/* Lanes of very different level: what one does must not reach the other. Double has 53 bits,
 * 319 dB; the plain sum loses some, the transform a little in each pass. Float would give 140. */
static void each_lane_is_a_plain_dft_in_double(void **state)
{
    (void)state;
    static const double levels[][2] = {{1.0, 1e-6}, {3e4, 0.0}, {1e-3, 1e7}};
    rfft2_plan_init(&plan);
    for (size_t l = 0; l < sizeof levels / sizeof levels[0]; l++) {
        static double x[2][RFFT2_N];
        for (size_t i = 0; i < RFFT2_N; i++)
            for (size_t lane = 0; lane < 2; lane++)
                signal[i][lane] = x[lane][i] = levels[l][lane] * noise();
        rfft2_power(&plan, signal, power);
        for (size_t lane = 0; lane < 2; lane++) {
            double total = 0.0, error = 0.0;
            for (size_t k = 0; k < RFFT2_N_BINS; k++) {
                const double amplitude = plain_amplitude(x[lane], k);
                total += amplitude * amplitude;
                error += pow(sqrt(power[k][lane]) / 2.0 - amplitude, 2);
            }
            assert_true(levels[l][lane] > 0.0 ? 10.0 * log10(total / error) > 270.0 : error == 0.0);
        }
    }
}

static void an_impulse_is_flat_and_a_tone_is_one_bin(void **state)
{
    (void)state;
    rfft2_plan_init(&plan);
    memset(signal, 0, sizeof signal);
    signal[100] = (pair){1.0, 1.0};
    rfft2_power(&plan, signal, power);
    for (size_t k = 0; k < RFFT2_N_BINS; k++)
        assert_true(fabs(power[k][1] - 4.0) < 1e-12);

    for (size_t bin = 0; bin < RFFT2_N_BINS; bin++) {
        for (size_t i = 0; i < RFFT2_N; i++) {
            const double x = cos(2.0 * PI * (double)(bin * i % RFFT2_N) / RFFT2_N);
            signal[i] = (pair){x, x};
        }
        rfft2_power(&plan, signal, power);
        const double peak = bin == 0 || bin == RFFT2_N / 2 ? RFFT2_N : RFFT2_N / 2;
        for (size_t k = 0; k < RFFT2_N_BINS; k++)
            assert_true(fabs(sqrt(power[k][1]) / 2.0 - (k == bin ? peak : 0.0)) < 1e-10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_lane_is_a_plain_dft_in_double),
        cmocka_unit_test(an_impulse_is_flat_and_a_tone_is_one_bin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
