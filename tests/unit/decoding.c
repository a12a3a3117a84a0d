/* Recordings through audio_decode, under test. */
#include "decoding.h"

#include "unit.h"

#include <math.h>

struct decoding decoded;

int decoding_set_up(void **state)
{
    (void)state;
    decoded.limits = (struct vp_limits){.min_duration_s = 0.5,
                                        .warn_duration_s = 2.0,
                                        .max_duration_s = 10.0,
                                        .silence_dbfs = -60.0};
    if (!audio_capacity(decoded.limits.max_duration_s, &decoded.buffer.capacity))
        return -1;
    decoded.buffer.samples = calloc(decoded.buffer.capacity, sizeof *decoded.buffer.samples);
    return decoded.buffer.samples == NULL;
}

int decoding_tear_down(void **state)
{
    (void)state;
    free(decoded.buffer.samples);
    return 0;
}

enum vp_status decoding_of(const void *bytes, size_t n)
{
    const struct audio_buffer *buffer = &decoded.buffer;
    const struct vp_clip_info *info = &decoded.info;
    struct audio_file copy = audio_file_copy(bytes, n);
    memset(&decoded.err, 0, sizeof decoded.err);
    enum vp_status status = audio_decode(&decoded.buffer, &decoded.limits, &decoded.options,
                                         copy.bytes, copy.n, &decoded.info, &decoded.err);
    audio_file_free(&copy);
    assert_int_equal(status, decoded.err.status);
    if (status != VP_OK) {
        const size_t n_chars = strlen(decoded.err.message);
        assert_int_equal(buffer->n_samples, 0);
        assert_true(n_chars > 10 && n_chars < sizeof decoded.err.message - 1);
        return status;
    }
    assert_true(buffer->n_samples >= 8000 && buffer->n_samples <= buffer->capacity);
    assert_true(isfinite(info->rms_dbfs) && isfinite(info->peak_dbfs) && info->speech_s >= 0.0);
    assert_true(info->clipped_ratio >= 0.0 && info->clipped_ratio <= 1.0);
    for (size_t i = 0; i < buffer->n_samples; i++)
        assert_true(isfinite(buffer->samples[i]));
    return VP_OK;
}

void decoding_expect(struct audio_file file, enum vp_status expected)
{
    const enum vp_status status = decoding_of(file.bytes, file.n);
    if (status != expected)
        fail_msg("%s, not %s: %s", vp_status_name(status), vp_status_name(expected),
                 decoded.err.message);
    audio_file_free(&file);
}
