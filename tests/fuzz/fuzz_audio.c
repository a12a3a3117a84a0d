/*
 * Any bytes as a recording: refused with a sentence, or finite samples within the limits; never a
 * crash, a leak or a read beyond the bytes. libFuzzer's main; `make fuzz` runs it.
 */
#include "audio.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

#define MAX_DURATION_S 2

static bool is_sane(const struct audio_buffer *buffer, const struct vp_clip_info *info)
{
    for (size_t i = 0; i < buffer->n_samples; i++)
        if (!isfinite(buffer->samples[i]))
            return false;
    return buffer->n_samples > 0 && info->n_samples == buffer->n_samples &&
           info->used_s <= MAX_DURATION_S + 1e-3 && isfinite(info->rms_dbfs) &&
           isfinite(info->peak_dbfs) && info->clipped_ratio >= 0.0 && info->clipped_ratio <= 1.0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    static float samples[MAX_DURATION_S * 16000 + 16];
    const struct vp_limits limits = {.min_duration_s = 0.105,
                                     .warn_duration_s = 2.0,
                                     .max_duration_s = MAX_DURATION_S,
                                     .silence_dbfs = -100.0,
                                     .truncate = n_bytes % 2 == 0};
    struct audio_buffer buffer = {.samples = samples};
    struct vp_clip_info info;
    struct vp_err err = {0};
    if (!audio_capacity(limits.max_duration_s, &buffer.capacity) ||
        buffer.capacity > sizeof samples / sizeof samples[0])
        abort();
    enum vp_status status = audio_decode(&buffer, &limits, bytes, n_bytes, &info, &err);
    bool refused = status != VP_OK && buffer.n_samples == 0 && err.message[0] != '\0' &&
                   status != VP_ERR_ARGUMENT && status != VP_ERR_NO_MEMORY;
    if (!refused && !(status == VP_OK && is_sane(&buffer, &info))) {
        fprintf(stderr, "%s: %s\n", vp_status_name(status), err.message);
        abort();
    }
    return 0;
}
