/* The mel filters against the formula, bin by bin. */
#include "unit.h"

#include <math.h>

#include "features/mel.h"

/* Weight of a frequency in triangle m, written from the definition in Kaldi's two branches. */
static double weight(size_t m, size_t n_mels, double low_hz, double high_hz, double hz)
{
    const double low = 1127.0 * log(1.0 + low_hz / 700.0);
    const double high = 1127.0 * log(1.0 + high_hz / 700.0);
    const double delta = (high - low) / ((double)n_mels + 1.0);
    const double left = low + (double)m * delta, center = left + delta, right = center + delta;
    const double mel = 1127.0 * log(1.0 + hz / 700.0);
    if (mel <= left || mel >= right)
        return 0.0;
    return mel <= center ? (mel - left) / (center - left) : (right - mel) / (right - center);
}

static void check_bank(size_t n_mels, size_t n_fft, double rate_hz, double low_hz, double high_hz)
{
    struct mel_bank bank;
    struct vp_err err;
    assert_int_equal(mel_bank_init(&bank, n_mels, n_fft, rate_hz, low_hz, high_hz, &err), VP_OK);
    assert_int_equal(bank.n_mels, n_mels);
    for (size_t m = 0; m < n_mels; m++) {
        const struct mel_filter *filter = &bank.filters[m];
        assert_true(filter->n_bins > 0 && filter->first_bin + filter->n_bins <= n_fft / 2 + 1);
        for (size_t k = 0; k <= n_fft / 2; k++) {
            const double expected =
                weight(m, n_mels, low_hz, high_hz, rate_hz * (double)k / (double)n_fft);
            const bool inside = k >= filter->first_bin && k - filter->first_bin < filter->n_bins;
            const double found = inside ? (double)filter->weights[k - filter->first_bin] : 0.0;
            assert_true(fabs(found - expected) < 1e-7);
        }
    }
    mel_bank_free(&bank);
}

static void weights_follow_the_formula(void **state)
{
    (void)state;
    check_bank(80, 512, 16000.0, 20.0, 8000.0);
    check_bank(40, 512, 16000.0, 20.0, 8000.0);
    check_bank(23, 256, 8000.0, 64.0, 3900.0);
    check_bank(1, 512, 16000.0, 20.0, 8000.0);
}

static void banks_that_cannot_be_are_refused(void **state)
{
    (void)state;
    struct mel_bank bank;
    struct vp_err err;
    /* 200 triangles: some fall between two bins */
    assert_int_equal(mel_bank_init(&bank, 200, 512, 16000.0, 20.0, 8000.0, &err), VP_ERR_ARGUMENT);
    assert_non_null(strstr(err.message, "narrower than a bin"));
    assert_null(bank.filters);
    assert_int_equal(mel_bank_init(&bank, 0, 512, 16000.0, 20.0, 8000.0, &err), VP_ERR_ARGUMENT);
    assert_int_equal(mel_bank_init(&bank, SIZE_MAX, 512, 16000.0, 20.0, 8000.0, &err),
                     VP_ERR_ARGUMENT);
    assert_int_equal(mel_bank_init(&bank, 80, 512, 16000.0, 20.0, 8001.0, &err), VP_ERR_ARGUMENT);
    assert_int_equal(mel_bank_init(&bank, 80, 512, 16000.0, 900.0, 900.0, &err), VP_ERR_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_follow_the_formula),
        cmocka_unit_test(banks_that_cannot_be_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
