/*
 * Any bytes as a recording: refused with a sentence, or finite samples within the limits; never a
 * crash, a leak or a read beyond the bytes. libFuzzer's main; `make fuzz` runs it.
 */
#include "audio/audio.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* Each Ogg page gets the checksum that its bytes have: a changed byte shall come through to the
 * headers behind it. */
static void mend_checksums(uint8_t *bytes, size_t n_bytes)
{
    for (size_t at = 0; at + 27 <= n_bytes && memcmp(bytes + at, "OggS", 4) == 0;) {
        size_t n = 27 + (size_t)bytes[at + 26];
        for (size_t i = 0; i < bytes[at + 26] && at + 27 + i < n_bytes; i++)
            n += bytes[at + 27 + i];
        if (n > n_bytes - at)
            return;
        uint32_t crc = 0;
        memset(bytes + at + 22, 0, 4);
        for (size_t i = 0; i < n; i++) {
            crc ^= (uint32_t)bytes[at + i] << 24;
            for (int bit = 0; bit < 8; bit++)
                crc = crc << 1 ^ (crc >> 31 ? 0x04C11DB7u : 0);
        }
        for (size_t i = 0; i < 4; i++)
            bytes[at + 22 + i] = (uint8_t)(crc >> 8 * i);
        at += n;
    }
}

static void decode(const uint8_t *bytes, size_t n_bytes)
{
    static float samples[MAX_DURATION_S * 16000 + 16];
    const struct vp_clip_options options = {.accept_damage = n_bytes % 3 == 0};
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
    enum vp_status status = audio_decode(&buffer, &limits, &options, bytes, n_bytes, &info, &err);
    bool refused = status != VP_OK && buffer.n_samples == 0 && err.message[0] != '\0' &&
                   status != VP_ERR_ARGUMENT && status != VP_ERR_NO_MEMORY;
    if (!refused && !(status == VP_OK && is_sane(&buffer, &info))) {
        fprintf(stderr, "%s: %s\n", vp_status_name(status), err.message);
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    uint8_t *mended = malloc(n_bytes + 1);
    if (mended == NULL)
        return 0;
    memcpy(mended, bytes, n_bytes);
    mend_checksums(mended, n_bytes);
    mended = realloc(mended, n_bytes > 0 ? n_bytes : 1); /* exact: a read beyond it shows */
    decode(mended, n_bytes);
    free(mended);
    return 0;
}
