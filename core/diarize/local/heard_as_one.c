/* Counts of frames, window by window: pairs are products of them. */
#include "diarize/local/heard_as_one.h"

#include "base/constants.h"

/* Frames of each local speaker alone, by voice. */
struct counts {
    double n[SEG_N_SPEAKERS][2];
};

static struct counts count_window(const struct local_masks *masks, size_t window,
                                  const struct labelled_windows *labelled)
{
    struct counts counts = {{{0.0}}};
    for (size_t k = 0; k < SEG_WINDOW_FRAMES; k++) {
        const unsigned mask = masks->masks[window * SEG_WINDOW_FRAMES + k];
        const size_t sample = window * LOCAL_HOP + SEG_FRAME_CENTRE + k * SEG_FRAME_STEP;
        for (size_t s = 0; s < SEG_N_SPEAKERS; s++) {
            if (mask != 1u << s)
                continue;
            const size_t nearest =
                windows_nearest(labelled->windows, labelled->n, (double)sample / SAMPLE_RATE_HZ);
            counts.n[s][labelled->labels[nearest]] += 1.0;
        }
    }
    return counts;
}

double heard_as_one(const struct local_masks *masks, const struct labelled_windows *labelled)
{
    double n_same = 0.0, n_pairs = 0.0;
    for (size_t w = 0; w < masks->n_windows; w++) {
        const struct counts counts = count_window(masks, w, labelled);
        double n_first = 0.0, n_second = 0.0;
        for (size_t s = 0; s < SEG_N_SPEAKERS; s++) {
            n_same += counts.n[s][0] * counts.n[s][1];
            n_first += counts.n[s][0];
            n_second += counts.n[s][1];
        }
        n_pairs += n_first * n_second;
    }
    return n_pairs > 0.0 ? n_same / n_pairs : 0.0;
}
