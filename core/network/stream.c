/* Sequences of frames, taken from pools. */
#include "network/stream.h"

#include "base/bug.h"

void frame_pool_reset(struct frame_pool *pool)
{
    for (size_t i = 0; i < pool->n_frames; i++)
        pool->free[i] = pool->memory + (pool->n_frames - 1 - i) * pool->layout->n_floats;
    pool->n_free = pool->n_frames;
}

void stream_start(struct stream *stream, size_t n_frames)
{
    stream->n_frames = n_frames;
    stream->n_written = stream->n_released = 0;
}

float *stream_append(struct stream *stream)
{
    struct frame_pool *pool = stream->pool;
    BUG_IF(pool->n_free == 0 || stream->n_written - stream->n_released == stream->n_slots,
           "the schedule holds more frames than were planned");
    float *frame = pool->free[--pool->n_free];
    stream->slots[stream->n_written++ % stream->n_slots] = frame;
    return frame;
}

float *stream_frame(const struct stream *stream, size_t t)
{
    return stream->slots[t % stream->n_slots];
}

void stream_release(struct stream *stream, size_t until)
{
    for (; stream->n_released < until; stream->n_released++)
        stream->pool->free[stream->pool->n_free++] = stream_frame(stream, stream->n_released);
}
