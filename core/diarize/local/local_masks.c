/* Masks in a list that grows, and sums over the ten windows that cover a frame. */
#include "diarize/local/local_masks.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"

#define HALF_STEP (SEG_FRAME_STEP / 2)

enum vp_status local_masks_add(struct local_masks *masks, const unsigned char *more, size_t n,
                               struct vp_err *err)
{
    unsigned char *list =
        array_room(masks->masks, &masks->capacity, masks->n_windows + n, SEG_WINDOW_FRAMES);
    if (list == NULL)
        return status_no_memory(err, "who speaks in each window",
                                (masks->n_windows + n) * SEG_WINDOW_FRAMES);
    masks->masks = list;
    memcpy(masks->masks + masks->n_windows * SEG_WINDOW_FRAMES, more, n * SEG_WINDOW_FRAMES);
    masks->n_windows += n;
    return VP_OK;
}

void local_masks_clear(struct local_masks *masks)
{
    free(masks->masks);
    *masks = (struct local_masks){0};
}

size_t local_masks_bytes(const struct local_masks *masks)
{
    return masks->capacity * SEG_WINDOW_FRAMES;
}

size_t local_masks_n_windows(size_t n_samples)
{
    const size_t beyond = n_samples > SEG_WINDOW_SAMPLES ? n_samples - SEG_WINDOW_SAMPLES : 0;
    return 1 + beyond / LOCAL_HOP + (beyond % LOCAL_HOP >= SEG_MIN_SAMPLES);
}

/* ---- frames ---------------------------------------------------------------------------------- */

size_t local_masks_first_frame(size_t window)
{
    return (window * LOCAL_HOP + HALF_STEP) / SEG_FRAME_STEP;
}

size_t local_masks_n_frames(const struct local_masks *masks)
{
    return masks->n_windows > 0 ? local_masks_first_frame(masks->n_windows - 1) + SEG_WINDOW_FRAMES
                                : 0;
}

size_t local_masks_frame_at(size_t sample)
{
    const size_t before = SEG_FRAME_CENTRE - HALF_STEP;
    return sample < before ? 0 : (sample - before) / SEG_FRAME_STEP;
}

size_t local_masks_frame_start(size_t t)
{
    return t == 0 ? 0 : SEG_FRAME_CENTRE - HALF_STEP + t * SEG_FRAME_STEP;
}

void local_masks_covering(const struct local_masks *masks, size_t t, size_t *first, size_t *end)
{
    size_t last = (t * SEG_FRAME_STEP + HALF_STEP) / LOCAL_HOP; /* or the one before it */
    while (local_masks_first_frame(last) > t)
        last--;
    *end = last + 1 < masks->n_windows ? last + 1 : masks->n_windows;
    *first = *end;
    while (*first > 0 && local_masks_first_frame(*first - 1) + SEG_WINDOW_FRAMES > t)
        (*first)--;
}

unsigned local_masks_in(const struct local_masks *masks, size_t window, size_t t)
{
    return masks->masks[window * SEG_WINDOW_FRAMES + t - local_masks_first_frame(window)];
}

bool local_masks_speech(const struct local_masks *masks, size_t t)
{
    size_t first, end, n_hear = 0;
    local_masks_covering(masks, t, &first, &end);
    for (size_t w = first; w < end; w++)
        n_hear += local_masks_in(masks, w, t) != 0;
    return end > first && 2 * n_hear >= end - first;
}

size_t local_masks_count(const struct local_masks *masks, size_t t)
{
    size_t first, end, n_heard = 0;
    local_masks_covering(masks, t, &first, &end);
    for (size_t w = first; w < end; w++)
        n_heard += (size_t)__builtin_popcount(local_masks_in(masks, w, t));
    const size_t n = end - first;
    return n > 0 ? (2 * n_heard + n) / (2 * n) : 0;
}
