/* The share of pairs of frames that are under one local speaker, against going through all pairs.
 */
#include "unit.h"

#include <math.h>

#include "diarize/local/heard_as_one.h"
#include "naive_net.h"

enum { N_LABELLED = 16 };

/* Windows of 1.5 s, one behind the other. */
static struct window windows[N_LABELLED];

static void place_windows(void)
{
    for (size_t i = 0; i < N_LABELLED; i++)
        windows[i] = (struct window){.first = 100 * i, .end = 100 * i + 150, .segment = 0};
}

static size_t label_at(const size_t *labels, double at_s)
{
    size_t best = 0;
    for (size_t i = 1; i < N_LABELLED; i++)
        if (fabs((double)i + 0.75 - at_s) < fabs((double)best + 0.75 - at_s))
            best = i;
    return labels[best];
}

static double twin(const struct local_masks *masks, const size_t *labels)
{
    double n_same = 0.0, n_pairs = 0.0;
    for (size_t w = 0; w < masks->n_windows; w++)
        for (size_t a = 0; a < SEG_WINDOW_FRAMES; a++)
            for (size_t b = 0; b < a; b++) {
                const unsigned x = masks->masks[w * SEG_WINDOW_FRAMES + a];
                const unsigned y = masks->masks[w * SEG_WINDOW_FRAMES + b];
                if (__builtin_popcount(x) != 1 || __builtin_popcount(y) != 1)
                    continue;
                if (label_at(labels, (double)w + (495.0 + 270.0 * (double)a) / 16000.0) ==
                    label_at(labels, (double)w + (495.0 + 270.0 * (double)b) / 16000.0))
                    continue;
                n_pairs += 1.0;
                n_same += x == y;
            }
    return n_pairs > 0.0 ? n_same / n_pairs : 0.0;
}

static void pairs_are_those_of_the_twin(void **state)
{
    (void)state;
    uint64_t seed = 8;
    place_windows();
    for (size_t round = 0; round < 4; round++) {
        struct local_masks masks = {0};
        size_t labels[N_LABELLED];
        for (size_t i = 0; i < N_LABELLED; i++)
            labels[i] = naive_random(&seed) > 0.0;
        for (size_t w = 0; w < 3; w++) {
            unsigned char window[SEG_WINDOW_FRAMES];
            for (size_t k = 0; k < SEG_WINDOW_FRAMES; k++)
                window[k] = (unsigned char)((size_t)(4.0 + 4.0 * naive_random(&seed)) & 7u);
            assert_int_equal(local_masks_add(&masks, window, 1, NULL), VP_OK);
        }
        const struct labelled_windows labelled = {windows, labels, N_LABELLED};
        const double want = twin(&masks, labels);
        assert_true(fabs(heard_as_one(&masks, &labelled) - want) < 1e-9);
        assert_true(want > 0.1 && want < 0.9);
        local_masks_clear(&masks);
    }
}

static void one_local_speaker_and_two(void **state)
{
    (void)state;
    size_t labels[N_LABELLED] = {0};
    struct local_masks masks = {0};
    unsigned char window[SEG_WINDOW_FRAMES];
    place_windows();
    const struct labelled_windows labelled = {windows, labels, N_LABELLED};
    memset(window, 1, sizeof window);
    assert_int_equal(local_masks_add(&masks, window, 1, NULL), VP_OK);
    assert_true(heard_as_one(&masks, &labelled) == 0.0); /* one voice only: no pairs */
    for (size_t i = 4; i < N_LABELLED; i++)
        labels[i] = 1;
    assert_true(heard_as_one(&masks, &labelled) == 1.0);
    for (size_t k = 0; k < SEG_WINDOW_FRAMES;
         k++) /* the border between windows 3 and 4 is 4.25 s */
        masks.masks[k] = 495 + 270 * k < 68000 ? 1 : 4;
    assert_true(heard_as_one(&masks, &labelled) == 0.0);
    local_masks_clear(&masks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_are_those_of_the_twin),
        cmocka_unit_test(one_local_speaker_and_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
