#include "waveform.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "audio/mono.h"
#include "audio/sniff.h"
#include "base/constants.h"

/* Samples from at on into the columns that they belong to. Returns false beyond the last. */
static bool take(const float *samples, size_t n, uint64_t at, double samples_a_column,
                 struct vp_wave_column *columns, size_t n_columns)
{
    for (size_t i = 0; i < n; i++) {
        const double column = (double)(at + i) / samples_a_column;
        if (column >= (double)n_columns)
            return false;
        struct vp_wave_column *wave = &columns[(size_t)column];
        wave->low = fminf(wave->low, samples[i]);
        wave->high = fmaxf(wave->high, samples[i]);
    }
    return true;
}

/* One pass over the recording; facts: what mono_facts says behind it. */
static enum vp_status read_all(const struct container *container, unsigned channel,
                               double duration_s, struct vp_wave_column *columns, size_t n_columns,
                               float *samples, struct mono_facts *facts, struct vp_err *err)
{
    struct mono *mono = NULL;
    bool ended = false;
    uint64_t at = 0;
    memset(columns, 0, n_columns * sizeof *columns);
    enum vp_status status = mono_open(container, channel, duration_s, &mono, err);
    while (status == VP_OK && !ended) {
        size_t n = 0;
        status = mono_read(mono, samples, MONO_BLOCK_SAMPLES, &n, &ended, err);
        if (status != VP_OK)
            break;
        if (!take(samples, n, at, duration_s * SAMPLE_RATE_HZ / (double)n_columns, columns,
                  n_columns))
            ended = true;
        at += n;
    }
    if (mono != NULL)
        mono_facts(mono, facts);
    mono_close(mono);
    return status;
}

enum vp_status vp_waveform(const void *bytes, size_t n_bytes, unsigned channel, double duration_s,
                           struct vp_wave_column *columns, size_t n_columns, struct vp_err *err)
{
    struct container container;
    struct mono_facts facts;
    unsigned loudest;
    if (!(duration_s > 0.0) || n_columns == 0)
        return status_fail(err, VP_ERR_ARGUMENT, "a waveform needs a duration and columns");
    enum vp_status status = sniff_container((struct bytes){bytes, n_bytes}, &container, err);
    if (status != VP_OK)
        return status;
    float *samples = calloc(MONO_BLOCK_SAMPLES, sizeof *samples);
    if (samples == NULL)
        return status_no_memory(err, "a block of samples", MONO_BLOCK_SAMPLES * sizeof *samples);
    status = read_all(&container, channel, duration_s, columns, n_columns, samples, &facts, err);
    if (status == VP_OK && facts.channels > 1 && mono_lost(&facts, &loudest))
        status =
            read_all(&container, loudest, duration_s, columns, n_columns, samples, &facts, err);
    free(samples);
    return status;
}
