/*
 * Frames that are speech or not -> segments of speech, as they come. One owner at a time.
 */
#ifndef VP_SEGMENTS_H
#define VP_SEGMENTS_H

#include "base/status.h"

struct segment {
    size_t first, end;     /* frames; end is one behind the last */
    double start_s, end_s; /* the same in time, unless the caller knew better than frames can say */
};

struct segments {
    struct segment *list; /* owned, [n] closed ones */
    size_t n, capacity;
    bool open;       /* one more goes on, */
    size_t first;    /* from this frame */
    size_t n_frames; /* pushed so far */
};

/* Starts as zeroes. Frees what is inside, not the struct. */
void segments_clear(struct segments *segments);

/* The next n frames: 1 is speech, 0 is not. VP_ERR_NO_MEMORY. */
enum vp_status segments_push(struct segments *segments, const unsigned char *speech, size_t n,
                             struct vp_err *err) VP_MUST_CHECK;

/* No more frames: what is open closes, at end_s instead of its last frame's end where that is
 * later: the last 15 ms of a recording make no frame. VP_ERR_NO_MEMORY. */
enum vp_status segments_finish(struct segments *segments, double end_s,
                               struct vp_err *err) VP_MUST_CHECK;

/* One that is known beforehand, behind all others. VP_ERR_NO_MEMORY. */
enum vp_status segments_add(struct segments *segments, const struct segment *segment,
                            struct vp_err *err) VP_MUST_CHECK;

#endif
