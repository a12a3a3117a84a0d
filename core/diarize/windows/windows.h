/*
 * Segments of speech -> windows to embed: 1.5 s every 0.75 s; every 0.375 s in segments below 3 s,
 * and the last one flush with the segment's end. A segment below 1.5 s is one window by itself,
 * which is repeated to 1.5 s. Windows of a segment that goes on are due as soon as they are known,
 * so that nothing but a few seconds of frames need be kept. One owner at a time.
 */
#ifndef VP_WINDOWS_H
#define VP_WINDOWS_H

#include "speech/segments.h"

#define WINDOW_FRAMES     150u
#define WINDOW_STEP       75u
#define WINDOW_STEP_SHORT 37u
#define WINDOW_LONG       300u /* frames of a segment from which WINDOW_STEP is the step */

struct window {
    size_t first, end; /* frames, end - first <= WINDOW_FRAMES */
    size_t segment;    /* index */
};

/* Starts as zeroes. */
struct windows {
    size_t segment; /* that the next window is of */
    size_t n;       /* windows of it so far */
};

/* The next window that can be told from the segments so far; false: none yet, or,
 * once they are finished, no more. */
bool windows_next(struct windows *windows, const struct segments *segments,
                  struct window *out) VP_MUST_CHECK;

/* Of windows [n] in order of time, n >= 1, the one whose middle is nearest; the earlier of two. */
size_t windows_nearest(const struct window *windows, size_t n, double at_s);

#endif
