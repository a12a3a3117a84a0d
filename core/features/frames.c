/* Two buffers that slide: samples not yet turned into frames, and frames still wanted. */
#include "features/frames.h"

#include <stdlib.h>
#include <string.h>

#include "base/bug.h"

struct frames {
    size_t n_mels, max_block, n_kept;
    float *samples; /* owned, [max_block + FBANK_FRAME_SAMPLES] */
    size_t n_samples;
    float *features;           /* owned, [capacity, n_mels] */
    size_t capacity, first, n; /* frames first .. first + n - 1 of the recording are held */
};

/* A block gives that many frames at most. */
static size_t most_frames(size_t max_block)
{
    return max_block / FBANK_HOP_SAMPLES + 1;
}

enum vp_status frames_new(size_t n_mels, size_t max_block, size_t n_kept, struct frames **out,
                          struct vp_err *err)
{
    *out = NULL;
    struct frames *frames = calloc(1, sizeof *frames);
    if (frames == NULL)
        return status_no_memory(err, "the frames of a stream", sizeof *frames);
    frames->n_mels = n_mels;
    frames->max_block = max_block;
    frames->n_kept = n_kept;
    frames->capacity = 2 * n_kept + most_frames(max_block);
    frames->samples = calloc(max_block + FBANK_FRAME_SAMPLES, sizeof(float));
    frames->features = calloc(frames->capacity * n_mels, sizeof(float));
    if (frames->samples == NULL || frames->features == NULL) {
        frames_free(frames);
        return status_no_memory(err, "the frames of a stream", 2 * n_kept * n_mels * sizeof(float));
    }
    *out = frames;
    return VP_OK;
}

void frames_free(struct frames *frames)
{
    if (frames == NULL)
        return;
    free(frames->samples);
    free(frames->features);
    free(frames);
}

size_t frames_bytes(const struct frames *frames)
{
    return sizeof *frames +
           (frames->max_block + FBANK_FRAME_SAMPLES + frames->capacity * frames->n_mels) *
               sizeof(float);
}

/* Makes room for n more by letting go of all but the latest n_kept. */
static void slide(struct frames *frames, size_t n)
{
    if (frames->n + n <= frames->capacity)
        return;
    const size_t gone = frames->n - frames->n_kept;
    memmove(frames->features, frames->features + gone * frames->n_mels,
            frames->n_kept * frames->n_mels * sizeof(float));
    frames->first += gone;
    frames->n = frames->n_kept;
}

void frames_push(struct frames *frames, struct fbank_work *work, const float *samples, size_t n)
{
    if (n == 0)
        return;
    memcpy(frames->samples + frames->n_samples, samples, n * sizeof(float));
    frames->n_samples += n;
    const size_t n_new = fbank_n_frames(frames->n_samples);
    if (n_new == 0)
        return;
    slide(frames, n_new);
    fbank_log_mel(work, frames->samples, frames->n_samples,
                  frames->features + frames->n * frames->n_mels);
    frames->n += n_new;
    const size_t used = n_new * FBANK_HOP_SAMPLES; /* the rest, below 400, begins the next frame */
    frames->n_samples -= used;
    memmove(frames->samples, frames->samples + used, frames->n_samples * sizeof(float));
}

size_t frames_end(const struct frames *frames)
{
    return frames->first + frames->n;
}

const float *frames_from(const struct frames *frames, size_t first)
{
    BUG_IF(first < frames->first || first > frames_end(frames), "a frame that is not held");
    return frames->features + (first - frames->first) * frames->n_mels;
}
