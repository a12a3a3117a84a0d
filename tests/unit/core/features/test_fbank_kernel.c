/* The front end's kernels: spectra in every lane against a plain DFT in double. */
#include "unit.h"

#include <math.h>

#include "features/fbank_kernel.h"

#define PI 3.14159265358979323846

static const enum vp_kernel kernels[] = {VP_KERNEL_BLAS, VP_KERNEL_AVX2, VP_KERNEL_AVX512,
                                         VP_KERNEL_NEON};
static struct rfft_plan plan;
_Alignas(64) static double signal[RFFT_N * FBANK_MOST_LANES];
_Alignas(64) static double power[RFFT_N_BINS * FBANK_MOST_LANES];
static uint32_t seed = 3;

static double noise(void) /* uniform in [-1, 1) */
{
    seed = seed * 1664525u + 1013904223u;
    return (double)(seed >> 8) / (double)(1 << 23) - 1.0;
}

static double plain_amplitude(const double *x, size_t k)
{
    double re = 0.0, im = 0.0;
    for (size_t i = 0; i < RFFT_N; i++) {
        const double angle = -2.0 * PI * (double)(k * i % RFFT_N) / RFFT_N;
        re += x[i] * cos(angle);
        im += x[i] * sin(angle);
    }
    return hypot(re, im);
}

/* Lanes of very different level: what one does must not reach the others. Double has 53 bits,
 * 319 dB; the plain sum loses some, the transform a little in each pass. Float would give 140. */
static void check_lanes(const struct fbank_kernel *kernel)
{
    static const double levels[] = {1.0, 1e-6, 3e4, 0.0, 1e-3, 1e7, 1e-9};
    for (size_t first = 0; first < 7; first++) {
        static double x[FBANK_MOST_LANES][RFFT_N];
        for (size_t i = 0; i < RFFT_N; i++)
            for (size_t l = 0; l < kernel->lanes; l++)
                signal[i * kernel->lanes + l] = x[l][i] = levels[(first + l) % 7] * noise();
        kernel->power(&plan, signal, power);
        for (size_t l = 0; l < kernel->lanes; l++) {
            double total = 0.0, error = 0.0;
            for (size_t k = 0; k < RFFT_N_BINS; k++) {
                const double amplitude = plain_amplitude(x[l], k);
                total += amplitude * amplitude;
                error += pow(sqrt(power[k * kernel->lanes + l]) / 2.0 - amplitude, 2);
            }
            assert_true(total > 0.0 ? 10.0 * log10(total / error) > 270.0 : error == 0.0);
        }
    }
}

static void check_impulse_and_tones(const struct fbank_kernel *kernel)
{
    const size_t lanes = kernel->lanes, last = lanes - 1;
    memset(signal, 0, sizeof signal);
    signal[100 * lanes + last] = 1.0;
    kernel->power(&plan, signal, power);
    for (size_t k = 0; k < RFFT_N_BINS; k++)
        assert_true(fabs(power[k * lanes + last] - 4.0) < 1e-12);

    for (size_t bin = 0; bin < RFFT_N_BINS; bin++) {
        for (size_t i = 0; i < RFFT_N; i++)
            signal[i * lanes + last] = cos(2.0 * PI * (double)(bin * i % RFFT_N) / RFFT_N);
        kernel->power(&plan, signal, power);
        const double peak = bin == 0 || bin == RFFT_N / 2 ? RFFT_N : RFFT_N / 2;
        for (size_t k = 0; k < RFFT_N_BINS; k++)
            assert_true(fabs(sqrt(power[k * lanes + last]) / 2.0 - (k == bin ? peak : 0.0)) <
                        1e-10);
    }
}

/* Through all three steps a frame comes out the same to the last bit in whichever lane it was. */
static void check_that_lanes_are_alike(const struct fbank_kernel *kernel)
{
    static float samples[FBANK_FRAME_SAMPLES + FBANK_MOST_LANES];
    static double window[FBANK_FRAME_SAMPLES];
    struct mel_bank mel;
    float energies[FBANK_MOST_LANES * 80], shifted[FBANK_MOST_LANES * 80];
    const float *frames[FBANK_MOST_LANES];
    for (size_t i = 0; i < FBANK_FRAME_SAMPLES; i++)
        window[i] = 0.54 - 0.46 * cos(2.0 * PI * (double)i / 399.0);
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++)
        samples[i] = (float)noise();
    assert_int_equal(mel_bank_init(&mel, 80, RFFT_N, 16000.0, 20.0, 8000.0, NULL), VP_OK);
    for (size_t shift = 0; shift < kernel->lanes; shift++) {
        for (size_t l = 0; l < kernel->lanes; l++)
            frames[l] = samples + (l + shift) % kernel->lanes;
        kernel->window(window, frames, signal);
        kernel->power(&plan, signal, power);
        kernel->mel(&mel, power, shift == 0 ? energies : shifted);
        for (size_t l = 0; shift > 0 && l < kernel->lanes; l++)
            assert_memory_equal(shifted + 80 * l, energies + 80 * ((l + shift) % kernel->lanes),
                                80 * sizeof *energies);
    }
    mel_bank_free(&mel);
}

static void every_kernel(void (*check)(const struct fbank_kernel *kernel))
{
    rfft_plan_init(&plan);
    for (size_t i = 0; i < sizeof kernels / sizeof kernels[0]; i++) {
        if (vp_kernel_available(kernels[i]))
            check(fbank_kernel_get(kernels[i]));
        else
            print_message("left out: %s, which this CPU has not\n", vp_kernel_name(kernels[i]));
    }
}

static void each_lane_is_a_plain_dft_in_double(void **state)
{
    (void)state;
    every_kernel(check_lanes);
}

static void an_impulse_is_flat_and_a_tone_is_one_bin(void **state)
{
    (void)state;
    every_kernel(check_impulse_and_tones);
}

static void a_frame_is_the_same_in_every_lane(void **state)
{
    (void)state;
    every_kernel(check_that_lanes_are_alike);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_lane_is_a_plain_dft_in_double),
        cmocka_unit_test(an_impulse_is_flat_and_a_tone_is_one_bin),
        cmocka_unit_test(a_frame_is_the_same_in_every_lane),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
