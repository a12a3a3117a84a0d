/* Sums over blocks. */
#include "audio/levels.h"

#include <math.h>

#include "audio/audio.h"
#include "audio/quality.h"

void levels_add(struct levels *levels, const float *samples, size_t n)
{
    if (n == 0)
        return;
    struct quality quality;
    quality_measure(samples, n, &quality);
    const double power = pow(10.0, quality.rms_dbfs / 10.0); /* around the block's own mean */
    levels->sum += quality.offset * (double)n;
    levels->squares += (power + quality.offset * quality.offset) * (double)n;
    levels->high_band += power * pow(10.0, quality.high_band_db / 10.0) * (double)n;
    levels->n += n;
}

void levels_fill(const struct levels *levels, const struct mono_facts *facts,
                 struct vp_clip_info *info)
{
    const double n = levels->n > 0 ? (double)levels->n : 1.0;
    struct quality quality = {.offset = levels->sum / n};
    const double power = fmax(levels->squares / n - quality.offset * quality.offset, 0.0);
    quality.rms_dbfs = quality_dbfs(sqrt(power));
    quality.high_band_db =
        power > 0.0 ? quality_dbfs(sqrt(levels->high_band / n / power)) : QUALITY_FLOOR_DBFS;
    info->rms_dbfs = quality.rms_dbfs;
    info->n_samples = (size_t)levels->n;
    info->clipped_ratio = facts->clipped_ratio;
    info->warnings |= audio_level_warnings(info, &quality);
}
