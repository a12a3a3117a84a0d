/*
 * Decisions from probabilities: against a plain version that sees everything at once, on random
 * probabilities and settings, in pieces of any size; and the rules one by one.
 */
#include "unit.h"

#include "naive_net.h"
#include "speech/speech.h"

#define MOST 400u

/* Runs of high probability, kept, grown and joined, by the definition. */
static void plain(const struct speech_settings *s, const float *p, size_t n, unsigned char *out)
{
    const long pad = (long)s->pad_frames;
    long last_end = -1;
    memset(out, 0, n);
    for (size_t t = 0; t < n;) {
        if (p[t] < s->on) {
            t++;
            continue;
        }
        const size_t start = t;
        while (t < n && p[t] >= (t == start ? s->on : s->off))
            t++;
        if (t - start < s->min_on_frames)
            continue;
        long first = (long)start - pad;
        if (last_end >= 0 && first - (last_end + pad) < (long)s->min_off_frames)
            first = last_end;
        for (long i = first; i < (long)t + pad; i++)
            if (i >= 0 && i < (long)n)
                out[i] = 1;
        last_end = (long)t;
    }
}

static void run(const struct speech_settings *settings, const float *p, size_t n, size_t piece,
                unsigned char *out)
{
    struct speech speech;
    size_t n_out = 0;
    speech_start(&speech, settings);
    for (size_t t = 0; t < n; t += piece) {
        const size_t n_here = piece < n - t ? piece : n - t;
        n_out += speech_push(&speech, p + t, n_here, out + n_out);
        assert_true(n_out <= t + n_here);
        assert_true(t + n_here - n_out <= speech_delay(settings));
    }
    n_out += speech_finish(&speech, out + n_out);
    assert_int_equal(n_out, n);
}

static double uniform(uint64_t *seed, double low, double high)
{
    return low + (high - low) * 0.5 * (1.0 + naive_random(seed));
}

static void decides_as_the_plain_version(void **state)
{
    (void)state;
    uint64_t seed = 1;
    size_t n_speech = 0;
    for (size_t round = 0; round < 2000; round++) {
        float p[MOST];
        unsigned char expected[MOST], found[MOST];
        const size_t n = (size_t)uniform(&seed, 1.0, (double)MOST);
        const double pull = uniform(&seed, 0.0, 0.98); /* from frame to frame */
        double x = 0.5;
        for (size_t t = 0; t < n; t++) {
            x = pull * x + (1.0 - pull) * uniform(&seed, -2.0, 3.0);
            p[t] = (float)(x < 0.0 ? 0.0 : x > 1.0 ? 1.0 : x);
        }
        const double on = uniform(&seed, 0.2, 0.8);
        const struct speech_settings settings = {
            .on = (float)on,
            .off = (float)uniform(&seed, 0.1, on),
            .min_on_frames = (size_t)uniform(&seed, 0.0, 15.0),
            .min_off_frames = (size_t)uniform(&seed, 0.0, 40.0),
            .pad_frames = (size_t)uniform(&seed, 0.0, 12.0),
        };
        plain(&settings, p, n, expected);
        for (size_t piece = 1; piece <= n; piece = piece * 3 + 1) {
            run(&settings, p, n, piece, found);
            assert_memory_equal(found, expected, n);
        }
        run(&settings, p, n, n, found);
        assert_memory_equal(found, expected, n);
        for (size_t t = 0; t < n; t++)
            n_speech += expected[t];
    }
    assert_in_range(n_speech, 50000, 350000); /* of about 400,000: both were tried */
}

/* '#' is a probability of 0.9, '+' of 0.4, '.' of 0.1; decisions as '#' and '.'. */
static void check(const struct speech_settings *settings, const char *said, const char *expected)
{
    const size_t n = strlen(said);
    float p[MOST] = {0};
    unsigned char decided[MOST];
    char found[MOST + 1];
    for (size_t t = 0; t < n; t++)
        p[t] = said[t] == '#' ? 0.9F : said[t] == '+' ? 0.4F : 0.1F;
    run(settings, p, n, 1, decided);
    for (size_t t = 0; t < n; t++)
        found[t] = decided[t] ? '#' : '.';
    found[n] = '\0';
    assert_string_equal(found, expected);
}

static void each_rule_alone(void **state)
{
    (void)state;
    const struct speech_settings bare = {.on = 0.5F, .off = 0.3F};
    struct speech_settings s = bare;
    check(&s, "..++##+#++..++..", "....######......");
    s.min_on_frames = 3;
    check(&s, ".##..###..#", ".....###...");
    s = bare;
    s.min_off_frames = 3;
    check(&s, "..#..#...#..", "..####...#..");
    s = bare;
    s.pad_frames = 2;
    check(&s, "....#......#", "..#####..###");
    s.min_off_frames = 3; /* a pause is measured after padding */
    check(&s, "....#......#", "..##########");
    check(&s, "....#.......#", "..#####...###");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decides_as_the_plain_version),
        cmocka_unit_test(each_rule_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
