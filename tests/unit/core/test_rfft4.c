/* Four spectra at once against the library's one, and the logarithm beside it. */
#include "unit.h"

#include <float.h>
#include <math.h>

#include "rfft4.h"

static uint32_t seed = 3;

static float noise(void) /* uniform in [-1, 1) */
{
    seed = seed * 1664525u + 1013904223u;
    return (float)(seed >> 8) / (float)(1 << 23) - 1.0F;
}

/* Lanes of very different level: what one does must not reach the others. */
static void each_lane_is_the_library_s_spectrum(void **state)
{
    (void)state;
    static const float level[N_LANES] = {1.0F, 1e-6F, 3e4F, 0.0F};
    static struct rfft4_plan plan;
    static lanes signal4[RFFT4_N], power4[RFFT4_N_BINS];
    static float signal[N_LANES][RFFT4_N];
    rfft4_plan_init(&plan);
    for (size_t i = 0; i < RFFT4_N; i++)
        for (size_t lane = 0; lane < N_LANES; lane++)
            signal4[i][lane] = signal[lane][i] = level[lane] * noise();
    rfft4_power(&plan, signal4, power4);

    struct rfft *rfft = NULL;
    struct vp_err err;
    assert_int_equal(rfft_new(RFFT4_N, &rfft, &err), VP_OK);
    for (size_t lane = 0; lane < N_LANES; lane++) {
        struct rfft_bin spectrum[RFFT4_N_BINS];
        rfft_forward(rfft, signal[lane], spectrum);
        double total = 0.0, error = 0.0;
        for (size_t k = 0; k < RFFT4_N_BINS; k++) {
            const double amplitude = hypot((double)spectrum[k].re, (double)spectrum[k].im);
            total += amplitude * amplitude;
            error += pow(sqrt((double)power4[k][lane]) / 2.0 - amplitude, 2);
        }
        assert_true(level[lane] > 0.0F ? 10.0 * log10(total / error) > 130.0 : error == 0.0);
    }
    rfft_free(rfft);
}

static void an_impulse_is_flat_and_a_tone_is_one_bin(void **state)
{
    (void)state;
    static struct rfft4_plan plan;
    static lanes signal[RFFT4_N], power[RFFT4_N_BINS];
    rfft4_plan_init(&plan);
    memset(signal, 0, sizeof signal);
    signal[100] = lanes_fill(1.0F);
    rfft4_power(&plan, signal, power);
    for (size_t k = 0; k < RFFT4_N_BINS; k++)
        assert_true(fabs((double)power[k][1] - 4.0) < 1e-5);

    for (size_t bin = 0; bin < RFFT4_N_BINS; bin++) {
        for (size_t i = 0; i < RFFT4_N; i++)
            signal[i] = lanes_fill(
                (float)cos(2.0 * 3.14159265358979323846 * (double)(bin * i % RFFT4_N) / RFFT4_N));
        rfft4_power(&plan, signal, power);
        const double peak = bin == 0 || bin == RFFT4_N / 2 ? RFFT4_N : RFFT4_N / 2;
        for (size_t k = 0; k < RFFT4_N_BINS; k++)
            assert_true(fabs(sqrt((double)power[k][2]) / 2.0 - (k == bin ? peak : 0.0)) < 1e-3);
    }
}

static void logarithm_is_good_to_3e_7(void **state)
{
    (void)state;
    /* from the smallest energy to the largest, in steps that visit every exponent */
    for (double x = (double)FLT_EPSILON; x < 1e20; x *= 1.0003) {
        const float exact = (float)x;
        const double found = (double)lanes_log(lanes_fill(exact))[0], expected = log((double)exact);
        assert_true(fabs(found - expected) <= 3e-7 * fabs(expected));
    }
    assert_true(lanes_log(lanes_fill(1.0F))[3] == 0.0F);
}

static void larger_of_two_lane_by_lane(void **state)
{
    (void)state;
    const lanes a = {1.0F, -2.0F, 0.0F, 3.0F}, b = {2.0F, -3.0F, 0.0F, 3.0F};
    const lanes c = lanes_max(a, b);
    assert_true(c[0] == 2.0F && c[1] == -2.0F && c[2] == 0.0F && c[3] == 3.0F);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_lane_is_the_library_s_spectrum),
        cmocka_unit_test(an_impulse_is_flat_and_a_tone_is_one_bin),
        cmocka_unit_test(logarithm_is_good_to_3e_7),
        cmocka_unit_test(larger_of_two_lane_by_lane),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
