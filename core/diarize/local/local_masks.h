/*
 * What remains of windows that a segmentation network has heard: who of up to three local speakers
 * is heard in each frame, and what all windows together say of a frame of the recording.
 *
 * Window w begins at sample w LOCAL_HOP. Frames of the recording are SEG_FRAME_STEP apart; those of
 * a window do not quite meet them, the nearest is taken. One owner at a time.
 */
#ifndef VP_LOCAL_MASKS_H
#define VP_LOCAL_MASKS_H

#include "segmentation/seg_state.h"

#define LOCAL_HOP 16000u /* samples from window to window: 1 s */

struct local_masks {
    size_t n_windows, capacity;
    unsigned char *masks; /* owned, [n_windows, SEG_WINDOW_FRAMES], bit s: local speaker s speaks */
};

/* Starts as zeroes. The next n windows, masks [n, SEG_WINDOW_FRAMES]. VP_ERR_NO_MEMORY. */
enum vp_status local_masks_add(struct local_masks *masks, const unsigned char *more, size_t n,
                               struct vp_err *err) VP_MUST_CHECK;
void local_masks_clear(struct local_masks *masks); /* what is inside; legal on zeroes */
size_t local_masks_bytes(const struct local_masks *masks);

/* Windows of a recording: the last one is padded with zeros. What goes beyond a window by less than
 * one frame opens no further one: it would be all padding, and vote. */
size_t local_masks_n_windows(size_t n_samples);

/* Frame of the recording at which a window begins. Frames before that of the window to come are
 * heard by all the windows that ever will. */
size_t local_masks_first_frame(size_t window);
/* Frames of the recording that any window covers. */
size_t local_masks_n_frames(const struct local_masks *masks);
/* The frame whose middle is nearest to a sample. */
size_t local_masks_frame_at(size_t sample);
/* The sample with which frame t begins to be the nearest; the first one stands for all before. */
size_t local_masks_frame_start(size_t t);

/* The windows first .. end - 1 that cover frame t, in order of time. */
void local_masks_covering(const struct local_masks *masks, size_t t, size_t *first, size_t *end);
/* Who speaks in frame t of the recording according to a window that covers it. */
unsigned local_masks_in(const struct local_masks *masks, size_t window, size_t t);

/* Do at least half of the windows that cover frame t hear anybody? */
bool local_masks_speech(const struct local_masks *masks, size_t t);
/* How many speak in frame t: the mean over its windows, rounded, half up. */
size_t local_masks_count(const struct local_masks *masks, size_t t);

#endif
