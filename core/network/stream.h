/*
 * Sequences of frames between the convolutions, and the frames they are made of.
 *
 * A stream holds frames n_released .. n_written - 1 of a clip; its reader gives back what it no
 * longer needs. All streams of one layout take their frames from one pool, last in, first out: a
 * frame that has just been read is the next to be written, while it is still in the cache, and the
 * many streams of a stage need little more memory than the batch that is on its way through.
 * Nobody writes the border of a frame, so it stays zero as the pool's memory came. One owner.
 */
#ifndef VP_STREAM_H
#define VP_STREAM_H

#include "network/conv.h"

struct frame_pool {
    const struct frame_layout *layout; /* borrowed */
    size_t n_frames, n_free;
    float *memory; /* borrowed, [n_frames][layout->n_floats], zeroed */
    float **free;  /* owned, [n_frames] */
};

/* All frames back into the pool. */
void frame_pool_reset(struct frame_pool *pool);

struct stream {
    struct frame_pool *pool; /* borrowed */
    size_t n_slots;
    float **slots;   /* owned, frame t in slot t % n_slots */
    size_t n_frames; /* of this clip */
    size_t n_written, n_released;
};

/* Begins a clip of n_frames, its pool reset. */
void stream_start(struct stream *stream, size_t n_frames);

/* The frame behind the last one, to be written. That pool and slots suffice is an invariant of the
 * schedule: aborts where it is broken. */
float *stream_append(struct stream *stream);

/* Frame t, which is in the stream. */
float *stream_frame(const struct stream *stream, size_t t);

/* Gives back all frames before `until`. */
void stream_release(struct stream *stream, size_t until);

#endif
