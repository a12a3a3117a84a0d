/* Resampling to 16 kHz: a bounds-checked wrapper around libsoxr. */
#include "audio/resample.h"

#include <soxr.h>
#include <stdlib.h>
#include <string.h>

#include "base/constants.h"

struct resampler {
    soxr_t soxr; /* owned; NULL when the rate is 16 kHz already */
};

enum vp_status resampler_new(unsigned rate_hz, struct resampler **out, struct vp_err *err)
{
    *out = NULL;
    struct resampler *resampler = calloc(1, sizeof *resampler);
    if (resampler == NULL)
        return status_no_memory(err, "the resampler", sizeof *resampler);
    if (rate_hz != SAMPLE_RATE_HZ) {
        const soxr_io_spec_t io = soxr_io_spec(SOXR_FLOAT32_I, SOXR_FLOAT32_I);
        const soxr_quality_spec_t quality = soxr_quality_spec(SOXR_HQ, 0);
        const soxr_runtime_spec_t runtime = soxr_runtime_spec(1); /* threads */
        soxr_error_t error = NULL;
        resampler->soxr = soxr_create(rate_hz, SAMPLE_RATE_HZ, 1, &error, &io, &quality, &runtime);
        if (resampler->soxr == NULL) {
            free(resampler);
            return status_fail(err, VP_ERR_NO_MEMORY, "no resampler from %u Hz: %.100s", rate_hz,
                               error != NULL ? error : "out of memory");
        }
    }
    *out = resampler;
    return VP_OK;
}

void resampler_free(struct resampler *resampler)
{
    if (resampler != NULL && resampler->soxr != NULL)
        soxr_delete(resampler->soxr);
    free(resampler);
}

enum vp_status resampler_push(struct resampler *resampler, const float *samples, size_t n,
                              float *out, size_t capacity, size_t *n_out, struct vp_err *err)
{
    *n_out = 0;
    if (resampler->soxr == NULL) {
        *n_out = samples != NULL ? n : 0;
        if (*n_out >= capacity)
            goto no_room;
        if (*n_out > 0)
            memcpy(out, samples, n * sizeof *out);
        return VP_OK;
    }
    for (;;) {
        size_t taken = 0, given = 0;
        const soxr_error_t error = soxr_process(resampler->soxr, samples, samples != NULL ? n : 0,
                                                &taken, out + *n_out, capacity - *n_out, &given);
        if (error != NULL)
            return status_fail(err, VP_ERR_NO_MEMORY, "resampling failed: %.100s", error);
        *n_out += given;
        if (*n_out == capacity)
            goto no_room;
        if (samples != NULL) {
            samples += taken;
            n -= taken;
        }
        if (given == 0 && (samples == NULL || n == 0 || taken == 0))
            return VP_OK;
    }
no_room:
    *n_out = 0;
    return status_fail(err, VP_ERR_ARGUMENT, "no room for more than %zu resampled samples",
                       capacity);
}
