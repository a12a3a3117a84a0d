/* Samples in pieces of any size -> the masks of windows, against one window after the other. */
#include "unit.h"

#include <math.h>

#include "diarize/local/segmenter.h"
#include "naive_net.h"
#include "segmentation/powerset.h"

enum { N_SAMPLES = 330000 };

static vp_segmentation *network;
static float *samples;

static int open_network(void **state)
{
    (void)state;
    uint64_t seed = 9;
    /* the padding of the last window lies behind the samples */
    samples = calloc(N_SAMPLES + SEG_WINDOW_SAMPLES, sizeof *samples);
    if (samples == NULL)
        return -1;
    for (size_t i = 0; i < N_SAMPLES; i++)
        samples[i] = (float)(0.1 * naive_random(&seed) + 0.3 * sin(0.05 * (double)(i % 30000)));
    return vp_segmentation_open("tests/golden/segmentation/small.safetensors", VP_KERNEL_AUTO,
                                &network, NULL) == VP_OK
               ? 0
               : -1;
}

static int close_network(void **state)
{
    (void)state;
    vp_segmentation_free(network);
    free(samples);
    return 0;
}

/* All masks of the first n samples, pushed in pieces of n_piece; clear them. */
static struct local_masks masks_of(size_t n, size_t n_piece)
{
    struct segmenter *segmenter;
    struct local_masks masks = {0};
    assert_int_equal(segmenter_new(network, &segmenter, NULL), VP_OK);
    for (size_t at = 0; at < n;) {
        while (segmenter_is_due(segmenter))
            assert_int_equal(segmenter_run(segmenter, NULL), VP_OK);
        const size_t piece = n - at < n_piece ? n - at : n_piece;
        segmenter_push(segmenter, samples + at, piece);
        at += piece;
    }
    segmenter_end(segmenter);
    while (segmenter_is_due(segmenter))
        assert_int_equal(segmenter_run(segmenter, NULL), VP_OK);
    assert_int_equal(segmenter_n_samples(segmenter), n);
    const struct local_masks *made = segmenter_masks(segmenter);
    assert_int_equal(local_masks_add(&masks, made->masks, made->n_windows, NULL), VP_OK);
    segmenter_free(segmenter);
    return masks;
}

static void pieces_leave_no_trace(void **state)
{
    (void)state;
    struct local_masks whole = masks_of(N_SAMPLES, MONO_BLOCK_SAMPLES);
    assert_int_equal(whole.n_windows, local_masks_n_windows(N_SAMPLES));
    struct local_masks pieces = masks_of(N_SAMPLES, 1234);
    assert_int_equal(pieces.n_windows, whole.n_windows);
    assert_memory_equal(pieces.masks, whole.masks, whole.n_windows * SEG_WINDOW_FRAMES);
    local_masks_clear(&pieces);
    local_masks_clear(&whole);
}

/* The first window, one in the second batch, the last one with its padding. A frame whose two best
 * classes are next to equal may differ: a batch adds in another order. */
static void windows_are_those_of_the_network(void **state)
{
    (void)state;
    struct local_masks masks = masks_of(N_SAMPLES, MONO_BLOCK_SAMPLES);
    float *log_probs = calloc(SEG_WINDOW_FRAMES * SEG_N_CLASSES, sizeof *log_probs);
    assert_non_null(log_probs);
    const size_t windows[] = {0, 9, masks.n_windows - 1};
    for (size_t i = 0; i < 3; i++) {
        unsigned char want[SEG_WINDOW_FRAMES];
        assert_int_equal(
            vp_segmentation_run(network, samples + windows[i] * LOCAL_HOP, log_probs, NULL), VP_OK);
        powerset_decode(log_probs, SEG_WINDOW_FRAMES, want);
        size_t n_other = 0;
        for (size_t k = 0; k < SEG_WINDOW_FRAMES; k++)
            n_other += want[k] != masks.masks[windows[i] * SEG_WINDOW_FRAMES + k];
        assert_true(n_other <= 2);
    }
    free(log_probs);
    local_masks_clear(&masks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_leave_no_trace),
        cmocka_unit_test(windows_are_those_of_the_network),
    };
    return cmocka_run_group_tests(tests, open_network, close_network);
}
